//go:build fault

package fault

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/job"
	"roster/internal/lake"
)

// maintaining compacts the files of an audience, and removes its old versions and unreferenced files. People see no
// change.
var maintaining = effort{prepare: (*world).wear, begin: func(*world) error { return nil }, goOn: func(w *world) error { return w.maintain(8 * day) }, unseen: true}

const day = 24 * time.Hour

// wear leaves deleted rows, and earlier versions whose files are unreferenced after the versions are removed. The files
// that the runs keep beside the data lie in the table's directory, where earlier versions of Roster kept them.
func (w *world) wear() {
	w.t.Helper()
	for _, text := range []string{secondFile, "mail,phone,points\nbob@x.org,+23,21\ndee@x.org,+4,45\n"} {
		w.upload(text)
		w.run(audience.RunRequest{Differential: true})
	}
	id := lake.TableOf(scope, w.audience().ID)
	w.must(os.Rename(w.path("lake", id.Namespace, id.Name+"-files", "roster"), w.path("lake", id.Namespace, id.Name, "roster")))
}

// maintain maintains the audience at a later time.
func (w *world) maintain(later time.Duration) error {
	w.later = later
	defer func() { w.later = 0 }()
	return w.Handle(w.t.Context(), job.Job{Kind: job.Maintain, ID: "1"}) // the first audience's number
}

// stored counts the files of the dataset by their folder and kind.
func (w *world) stored() string {
	w.t.Helper()
	counts := map[string]int{}
	w.must(filepath.WalkDir(w.path("lake"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			folder, _, _ := strings.Cut(filepath.Base(filepath.Dir(path)), "-")
			counts[folder+" "+filepath.Ext(path)]++
		}
		return err
	}))
	text := ""
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		text += fmt.Sprintf("%s: %d\n", kind, counts[kind])
	}
	return text
}

// TestEveryIOFailsOfMaintenance lets the k-th I/O call of maintenance fail, for every k. The next maintenance does the
// rest.
func TestEveryIOFailsOfMaintenance(t *testing.T) {
	tp := newTemplate(t, maintaining)
	want := tp.maintainedAgain(t)
	t.Logf("%d I/O calls; at the end there are\n%s", len(tp.places), want)
	for k := 1; k <= len(tp.places)+5; k += *every {
		tp.restore(t)
		w := open(t, tp.dir)
		where, err := failing(k, func() error { return maintaining.goOn(w) })
		w.unharmed(tp, want, fmt.Sprintf("call %d (%s) failed, maintenance returned %v", k, where, err))
		w.close()
	}
}

// TestKillDuringMaintenance kills the process at each named place of maintenance.
func TestKillDuringMaintenance(t *testing.T) {
	tp := newTemplate(t, maintaining)
	want := tp.maintainedAgain(t)
	for _, c := range killings(tp.places) {
		t.Run(fmt.Sprintf("%s-%d", c.place, c.pass), func(t *testing.T) {
			tp.restore(t)
			killChild(t, tp.dir, "maintain", c)
			w := open(t, tp.dir)
			defer w.close()
			w.unharmed(tp, want, c.place)
		})
	}
}

// maintainedAgain returns the stored files after undisturbed maintenance and another one two days later.
func (tp *template) maintainedAgain(t *testing.T) string {
	t.Helper()
	w := open(t, tp.dir)
	defer w.close()
	w.must(w.maintain(10 * day))
	return w.stored()
}

// unharmed requires that people see the same as before, also after the next maintenance and after an import. The next
// maintenance must leave the files that undisturbed maintenance leaves.
func (w *world) unharmed(tp *template, stored, what string) {
	w.t.Helper()
	if got := w.state(); got != tp.before {
		w.t.Fatalf("%s: there is\n%swant\n%s", what, got, tp.before)
	}
	w.must(w.maintain(10 * day))
	if got := w.state(); got != tp.before {
		w.t.Fatalf("%s, and maintained again: there is\n%swant\n%s", what, got, tp.before)
	}
	if got := w.stored(); got != stored {
		w.t.Fatalf("%s, and maintained again: there are\n%swant\n%s", what, got, stored)
	}
	w.takesAnother(what)
}
