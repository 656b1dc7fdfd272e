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
	"slices"
	"sync"
	"testing"

	"roster/internal/audience"
	"roster/internal/fault"
	"roster/internal/lake"
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
	between       string   // see effort; before if the effort has none
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
	copies, err := filepath.Glob(filepath.Join(tp.dir, "lake", "*", "*-files", "sorted")) // what state has read
	w.must(err)
	for _, dir := range copies {
		w.must(os.RemoveAll(dir))
	}
	w.must(copyDir(tp.dir, tp.saved))
	tp.between = tp.before
	if do.between != nil {
		w = open(t, tp.dir)
		do.between(w)
		tp.between = w.state()
		w.close()
		tp.restore(t)
	}

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
		ends[ioFails(t, tp, do, k)]++
	}
	t.Logf("ends: %v", ends)
	if ends[audience.Success] == 0 || ends[audience.Failed] == 0 {
		t.Errorf("ends: %v; both kinds are expected", ends)
	}
}

// ioFails lets the k-th I/O call of a run fail, and returns the status that the run ends with.
func ioFails(t *testing.T, tp *template, do effort, k int) audience.Status {
	tp.restore(t)
	w := open(t, tp.dir)
	defer w.close()
	where, err := failing(k, func() error { return errors.Join(do.begin(w), do.goOn(w)) })
	what := fmt.Sprintf("call %d (%s) failed, the run returned %v", k, where, err)
	w.drain()
	status := w.lastStatus(tp)
	want := tp.before
	if status == audience.Success {
		want = tp.after
	}
	if got := w.state(); got != want && (got != tp.between || status == audience.Success) {
		t.Fatalf("%s: the run ended %q with\n%swant\n%s", what, status, got, want)
	}
	w.addsUp(tp, what)
	if status != audience.Success {
		w.must(do.begin(w))
		w.drain()
		if got := w.state(); got != tp.after {
			t.Fatalf("%s: another run leaves\n%swant\n%s", what, got, tp.after)
		}
		w.addsUp(tp, what)
	}
	if left := w.leftovers(); len(left) > 0 {
		t.Errorf("%s: left over: %v", what, left)
	}
	return status
}

// addsUp requires that the ledgers of all runs add up, and that each run since the template made exactly one snapshot, or
// none if it changed nothing.
func (w *world) addsUp(tp *template, what string) {
	w.t.Helper()
	made := map[audience.RunID]int{}
	a := w.audience()
	d, err := w.lake.Load(w.t.Context(), lake.TableOf(scope, a.ID))
	if !errors.Is(err, lake.ErrNotExist) {
		w.must(err)
		d, err = d.WithHistory(w.t.Context())
		w.must(err)
		for _, s := range d.Snapshots() {
			made[s.Run]++
		}
	}
	members, runs := int64(0), w.runs()
	for i, r := range slices.Backward(runs) {
		want := 0
		if r.Committed() {
			want = 1
			if m := r.Result.Members; m.Before != members || !m.Balanced(r.Result.Rows) || !r.Result.Rows.Balanced() {
				w.t.Errorf("%s: run %d of kind %q has the ledger %+v %+v after %d members", what, r.Seq, r.Request.Kind, m, r.Result.Rows, members)
			}
			members = r.Result.Members.After
		}
		if made[r.ID] != want && i < len(runs)-tp.runs {
			w.t.Errorf("%s: run %d of kind %q, %s, made %d snapshots", what, r.Seq, r.Request.Kind, r.Status, made[r.ID])
		}
	}
	if a.Members != members {
		w.t.Errorf("%s: the audience has %d members, the last ledger says %d", what, a.Members, members)
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
