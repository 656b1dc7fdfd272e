package ingest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/source"
)

// uploads are the paths of files that are known to be complete.
type uploads []string

// Complete implements source.Uploads.
func (u uploads) Complete(path, version string) bool {
	return version != "" && slices.Contains(u, path)
}

// settling gives the world's runs a settle age of 2 s and a limit of 10 s. Time passes only while a run sleeps. Each
// sleep calls meanwhile, which may write files.
func (w *world) settling(meanwhile func(sleep int)) (run func(full bool) audience.Run) {
	sleeps := 0
	w.pipeline.Sleep = func(_ context.Context, d time.Duration) error {
		if d <= 0 {
			w.t.Error("a sleep of no time")
		}
		w.now = w.now.Add(d)
		sleeps++
		if meanwhile != nil {
			meanwhile(sleeps)
		}
		return nil
	}
	return func(full bool) audience.Run {
		w.t.Helper()
		s := w.spec(full)
		s.Settle = source.SettleRule{Age: 2 * time.Second, Limit: 10 * time.Second}
		r, err := w.pipeline.Run(w.t.Context(), s)
		if err != nil {
			w.t.Fatal(err)
		}
		return r
	}
}

// putAt writes a file with the given modification time.
func (w *world) putAt(name, text string, at time.Time) {
	w.t.Helper()
	w.put(name, text)
	if err := os.Chtimes(filepath.Join(w.root, name), at, at); err != nil {
		w.t.Fatal(err)
	}
}

// TestLinksAreListed puts links into a folder. The run does not follow the links and lists them, regardless of its
// window.
func TestLinksAreListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.put("a.csv", people(0, 3, 0))
	for link, target := range map[string]string{"link.csv": "a.csv", "gone.csv": "absent", "up": ".."} {
		if err := os.Symlink(target, filepath.Join(w.root, link)); err != nil {
			t.Fatal(err)
		}
	}
	var skipped []string
	for _, f := range w.mustRun(true).Result.Files {
		if f.Status == audience.FileSkipped && strings.Contains(f.Reason, "symbolic link") {
			skipped = append(skipped, f.Path)
		}
	}
	if !slices.Equal(skipped, []string{"gone.csv", "link.csv", "up"}) || w.rows() != 3 {
		t.Errorf("skipped %q, %d members", skipped, w.rows())
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	t.Run("old files are read at once", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, defaultFields)
		w.putAt("a.csv", people(0, 3, 0), w.now.Add(-2*time.Second))
		began := w.now
		r := w.settling(nil)(true)
		if r.Status != audience.Success || r.Result.Members.After != 3 || !w.now.Equal(began) {
			t.Fatalf("%s %v after %s", r.Status, r.Error, w.now.Sub(began))
		}
	})
	t.Run("a young file is waited for", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, defaultFields)
		began := w.now
		w.putAt("a.csv", people(0, 3, 0), began.Add(-time.Second))
		r := w.settling(nil)(true)
		if r.Status != audience.Success || r.Result.Members.After != 3 || w.now.Sub(began) != time.Second {
			t.Fatalf("%s %v after %s", r.Status, r.Error, w.now.Sub(began))
		}
	})
	t.Run("a file that grows is read whole", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, defaultFields)
		w.putAt("a.csv", people(0, 3, 0), w.now)
		r := w.settling(func(n int) {
			if n <= 2 {
				w.putAt("a.csv", people(0, 3+n, 0), w.now)
			}
		})(true)
		if r.Status != audience.Success || r.Result.Members.After != 5 {
			t.Fatalf("%s %v: %d members", r.Status, r.Error, r.Result.Members.After)
		}
	})
	t.Run("a file that never ends is left to the next run", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, defaultFields)
		began := w.now
		w.putAt("a.csv", people(0, 3, 0), began.Add(-time.Minute))
		w.putAt("b.csv", people(10, 1, 0), began)
		run := w.settling(func(n int) { w.putAt("b.csv", people(10, 1+n, 0), w.now) })
		r := run(false)
		if r.Status != audience.Success || r.Result.Members.After != 3 || w.now.Sub(began) > 11*time.Second {
			t.Fatalf("%s %v after %s", r.Status, r.Error, w.now.Sub(began))
		}
		if f := r.Result.Files[1]; f.Status != audience.FileUnsettled || !strings.Contains(f.Reason, "10s") {
			t.Fatalf("%+v", f)
		}
		// A full run without the file would remove the people in it.
		w.putAt("b.csv", people(10, 1, 0), w.now)
		if r := run(true); r.Status != audience.Failed || !strings.Contains(r.Error.Message, "b.csv") {
			t.Fatalf("%s %v", r.Status, r.Error)
		}
		w.now = w.now.Add(time.Minute)
		if r := run(false); r.Status != audience.Success || r.Result.Members.After < 4 {
			t.Fatalf("%s %v", r.Status, r.Error)
		}
	})
	t.Run("a file that is written anew is empty at first", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, defaultFields)
		w.putAt("a.csv", people(0, 3, 0), w.now.Add(-time.Minute))
		w.putAt("b.csv", "", w.now)
		w.putAt("c.csv", "", w.now)
		w.putAt("d.csv", "", w.now.Add(-time.Minute))
		r := w.settling(func(n int) {
			if n == 1 {
				w.putAt("b.csv", people(10, 2, 0), w.now)
			}
		})(true)
		if r.Status != audience.Success || r.Result.Members.After != 5 {
			t.Fatalf("%s %v: %d members", r.Status, r.Error, r.Result.Members.After)
		}
		for _, f := range r.Result.Files[2:] {
			if f.Status != audience.FileSkipped || f.Reason != "an empty file" {
				t.Errorf("%+v", f)
			}
		}
	})
	t.Run("a clock that runs ahead", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, defaultFields)
		began := w.now
		w.putAt("a.csv", people(0, 3, 0), began.Add(20*time.Minute))
		r := w.settling(nil)(true)
		if r.Status != audience.Success || r.Result.Members.After != 3 || w.now.Sub(began) != 2*time.Second {
			t.Fatalf("%s %v after %s", r.Status, r.Error, w.now.Sub(began))
		}
	})
	t.Run("a file that goes away", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, defaultFields)
		w.putAt("a.csv", people(0, 3, 0), w.now.Add(-time.Minute))
		w.putAt("b.csv", people(10, 3, 0), w.now)
		r := w.settling(func(int) { os.Remove(filepath.Join(w.root, "b.csv")) })(true)
		if r.Status != audience.Success || r.Result.Members.After != 3 || r.Result.Files[1].Status != audience.FileSkipped {
			t.Fatalf("%s %v %+v", r.Status, r.Error, r.Result.Files)
		}
	})
	t.Run("known to be whole", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, defaultFields)
		w.putAt("a.csv", people(0, 3, 0), w.now)
		began := w.now
		s := w.spec(true)
		s.Settle = source.SettleRule{Age: time.Hour, Limit: time.Hour, Uploads: uploads{"a.csv"}}
		r, err := w.pipeline.Run(t.Context(), s)
		if err != nil || r.Status != audience.Success || !w.now.Equal(began) {
			t.Fatalf("%s %v", r.Status, err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, defaultFields)
		w.putAt("a.csv", people(0, 3, 0), w.now)
		s := w.spec(true)
		s.Settle = source.SettleRule{Age: time.Hour, Limit: time.Hour}
		ctx, cancel := context.WithCancel(t.Context())
		s.Host = testHost{w: w, save: func(r audience.Run) error {
			if r.Progress.Step == "settle" {
				cancel()
			}
			return nil
		}}
		if _, err := w.pipeline.Run(ctx, s); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	})
}

// TestNamesBelowTheFolder skips files by the names below the audience's folder, regardless of the name of the folder.
func TestNamesBelowTheFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	for _, name := range []string{"_exports/day.part", "_exports/_old"} {
		if err := os.MkdirAll(filepath.Join(w.root, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.put("_exports/day.part/a.csv", people(0, 3, 0))
	w.put("_exports/_old/b.csv", people(10, 3, 0))
	w.put("_exports/_SUCCESS", "")
	w.aud.Source.Path = "/_exports/"
	if r := w.run(true); r.Status != audience.Success || r.Result.Members.After != 3 || len(r.Result.Files) != 3 {
		t.Fatalf("%s %v %+v", r.Status, r.Error, r.Result.Files)
	}
}
