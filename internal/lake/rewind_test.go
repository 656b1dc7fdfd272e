package lake_test

import (
	"testing"
	"time"

	"roster/internal/lake"
)

// TestClockThatWasAhead commits to a table whose last change has a time one year in the future.
func TestClockThatWasAhead(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		d := w.load(t)
		one := commit(t, d, lake.Commit{Run: "r1", Dir: "r1-a", Add: []lake.DataFile{write(t, d, "r1-a", 2, named(10, "Ada"))}})
		d = w.load(t)
		two := commit(t, d, lake.Commit{Run: "r2", Dir: "r2-a", Add: []lake.DataFile{write(t, d, "r2-a", 2, named(20, "Barbara"))}})
		if err := w.Ahead(t.Context(), w.table, 365*24*time.Hour); err != nil {
			t.Fatal(err)
		}
		d = w.load(t)
		if snap, ok := d.Current(); !ok || snap.ID != two.ID || time.Until(snap.Time) > time.Second {
			t.Fatalf("after the clock was put back the current snapshot is %+v", snap)
		}
		if got := names(t, d); got != "Ada Barbara" {
			t.Errorf("the table holds %s", got)
		}
		three := commit(t, d, lake.Commit{Run: "r3", Dir: "r3-a", Add: []lake.DataFile{write(t, d, "r3-a", 2, named(30, "Cynthia"))}})
		d = w.load(t)
		back := commit(t, d, lake.Commit{Run: "r4", Dir: "r4-a", Restore: one.ID})
		if three.ParentID != two.ID || back.ParentID != one.ID {
			t.Errorf("snapshot %+v follows not %d, or %+v not %d, which it restores", three, two.ID, back, one.ID)
		}
		if got := names(t, w.load(t)); got != "Ada" {
			t.Errorf("the restored table holds %s", got)
		}
	})
}
