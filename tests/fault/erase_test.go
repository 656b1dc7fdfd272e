//go:build fault

package fault

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"roster/internal/audience"
	"roster/internal/control"
)

var erasing = effort{begin: (*world).erase, goOn: (*world).workOnErasures}

// erase requests the erasure of Bob, by his phone.
func (w *world) erase() error {
	_, err := w.Erase(w.t.Context(), admin, control.IdentityRef{ID: "+2", Namespace: "Phone"})
	return err
}

// workOnErasures does the enqueued jobs, and those that they enqueue.
func (w *world) workOnErasures() (err error) {
	for range 5 {
		err = errors.Join(err, w.work())
	}
	return err
}

// erased requires that an erasure has ended well and that no file has Bob's mail any more, and returns true; or that
// there is none. Data that the profile store deleted stays in its files until compaction, but only under keys, which
// are hashes. The store may remove files during this check.
func (w *world) erased(what string) bool {
	w.t.Helper()
	list, err := w.Erasures(w.t.Context(), admin, nil, 10)
	w.must(err)
	if len(list) == 0 {
		return false
	}
	if e := list[0]; len(list) > 1 || e.Status != audience.Success || e.Sealed != "" || len(e.Progress.Audiences) != 1 || e.Progress.Audiences[0].Members != 1 {
		w.t.Errorf("%s: the erasures are %+v", what, list)
	}
	w.must(filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "landing" {
			return fs.SkipDir
		}
		var content []byte
		if err == nil && d.Type().IsRegular() {
			content, err = os.ReadFile(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if bytes.Contains(content, []byte("bob@x.org")) {
			w.t.Errorf("%s: %s holds Bob's mail", what, path)
		}
		return err
	}))
	return true
}

// TestEveryIOFailsOfAnErasure lets the k-th I/O call of an erasure fail, for every k. The erasure either never begins
// or completes.
func TestEveryIOFailsOfAnErasure(t *testing.T) {
	tp := newTemplate(t, erasing)
	t.Logf("%d I/O calls", len(tp.places))
	for k := 1; k <= len(tp.places)+5; k += *every {
		tp.restore(t)
		w := open(t, tp.dir)
		where, err := failing(k, func() error { return errors.Join(w.erase(), w.workOnErasures()) })
		what := fmt.Sprintf("call %d (%s) failed, the erasure returned %v", k, where, err)
		w.drain()
		want := tp.before
		if w.erased(what) {
			want = tp.after
		}
		if got := w.state(); got != want {
			t.Fatalf("%s: there is\n%swant\n%s", what, got, want)
		}
		w.close()
	}
}

// TestKillDuringAnErasure kills the process at each named place of an erasure. An acknowledged erasure completes.
func TestKillDuringAnErasure(t *testing.T) {
	tp := newTemplate(t, erasing)
	for _, c := range killings(tp.places) {
		t.Run(fmt.Sprintf("%s-%d", c.place, c.pass), func(t *testing.T) {
			tp.restore(t)
			started := killChild(t, tp.dir, "erase", c)
			w := open(t, tp.dir)
			defer w.close()
			w.drain()
			want := tp.after
			if !w.erased(c.place) {
				want = tp.before
				if started {
					t.Error("the erasure was acknowledged and is lost")
				}
			}
			if got := w.state(); got != want {
				t.Fatalf("there is\n%swant\n%s", got, want)
			}
		})
	}
}
