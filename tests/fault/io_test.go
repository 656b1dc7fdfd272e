//go:build fault

package fault

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"roster/internal/audience"
	"roster/internal/fault"
)

var (
	discard = slog.New(slog.DiscardHandler)
	errDisk = errors.New("the disk failed")
	every   = flag.Int("every", 1, "let only every n-th I/O call fail")
)

// counter is a hook that counts places and acts at one of them.
type counter struct {
	mu     sync.Mutex
	places []string
	act    func(n int, place string) error // n counts from 1
}

func (c *counter) at(place string) error {
	c.mu.Lock()
	c.places = append(c.places, place)
	n := len(c.places)
	c.mu.Unlock()
	if c.act == nil {
		return nil
	}
	return c.act(n, place)
}

// failing calls do with the k-th I/O call failing, and returns the place of that call, "" if there are fewer calls.
func failing(k int, do func() error) (where string, err error) {
	c := counter{act: func(n int, place string) error {
		if n == k {
			where = place
			return errDisk
		}
		return nil
	}}
	fault.Set(c.at)
	defer fault.Set(nil)
	err = do()
	return where, err
}

// template is a directory before an operation. The test keeps a copy and restores it at the same path, because datasets
// contain their absolute path.
type template struct {
	dir, saved    string
	runs          int      // number of runs before
	before, after string   // what people see before and after
	places        []string // passed in between
}

func newTemplate(t *testing.T, do effort) *template {
	t.Helper()
	tp := &template{dir: filepath.Join(t.TempDir(), "work"), saved: t.TempDir()}
	w := open(t, tp.dir)
	w.prepare()
	if do.prepare != nil {
		do.prepare(w)
	}
	tp.before, tp.runs = w.state(), len(w.runs())
	w.close()
	w.must(copyDir(tp.dir, tp.saved))

	w = open(t, tp.dir)
	var c counter
	fault.Set(c.at)
	defer fault.Set(nil)
	w.must(errors.Join(do.begin(w), do.goOn(w)))
	fault.Set(nil)
	tp.after, tp.places = w.state(), c.places
	if left := w.leftovers(); len(left) > 0 {
		t.Fatalf("left over: %v", left)
	}
	w.close()
	if (tp.before == tp.after) != do.unseen {
		t.Fatalf("what is done leads from\n%sto\n%s", tp.before, tp.after)
	}
	return tp
}

// restore restores the directory.
func (tp *template) restore(t *testing.T) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(tp.dir), copyDir(tp.saved, tp.dir)); err != nil {
		t.Fatal(err)
	}
}

// copyDir copies a directory with the times of its files, because sources identify files by them.
func copyDir(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		name := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(name, 0o700)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return errors.Join(os.WriteFile(name, text, 0o600), os.Chtimes(name, info.ModTime(), info.ModTime()))
	})
}

// TestEveryIOFails lets the k-th I/O call of a run fail, for every k. The run ends SUCCESS with the result of an
// undisturbed run, or FAILED with nothing changed; then another run succeeds.
func TestEveryIOFails(t *testing.T) {
	for name, do := range runs {
		t.Run(name, func(t *testing.T) { everyIOFails(t, do) })
	}
}

func everyIOFails(t *testing.T, do effort) {
	tp := newTemplate(t, do)
	t.Logf("%d I/O calls", len(tp.places))
	ends := map[audience.Status]int{}
	for k := 1; k <= len(tp.places)+5; k += *every {
		tp.restore(t)
		w := open(t, tp.dir)
		where, err := failing(k, func() error { return errors.Join(do.begin(w), do.goOn(w)) })
		what := fmt.Sprintf("call %d (%s) failed, the run returned %v", k, where, err)
		w.drain()
		status := w.lastStatus(tp)
		ends[status]++
		want := map[audience.Status]string{audience.Success: tp.after, audience.Failed: tp.before, "": tp.before}[status]
		if got := w.state(); got != want {
			t.Fatalf("%s: the run ended %q with\n%swant\n%s", what, status, got, want)
		}
		if status != audience.Success {
			w.must(do.begin(w))
			w.drain()
			if got := w.state(); got != tp.after {
				t.Fatalf("%s: another run leaves\n%swant\n%s", what, got, tp.after)
			}
		}
		if left := w.leftovers(); len(left) > 0 {
			t.Errorf("%s: left over: %v", what, left)
		}
		w.close()
	}
	t.Logf("ends: %v", ends)
	if ends[audience.Success] == 0 || ends[audience.Failed] == 0 {
		t.Errorf("ends: %v; both kinds are expected", ends)
	}
}

// runs returns all runs of the audience, the newest first.
func (w *world) runs() []audience.Run {
	w.t.Helper()
	_, list, err := w.history()
	w.must(err)
	return list
}

// lastStatus returns the status of the newest run since the template, "" if there is none.
func (w *world) lastStatus(tp *template) audience.Status {
	w.t.Helper()
	list := w.runs()
	if len(list) == tp.runs {
		return ""
	}
	return list[0].Status
}
