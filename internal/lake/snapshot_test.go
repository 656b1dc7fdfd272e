package lake_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/lake"
)

// versions creates a table with three snapshots: two files, then a deleted row in one of them, then another file
// instead of both.
func versions(t *testing.T, w *world) (snaps []lake.Snapshot, rows [][]string) {
	t.Helper()
	d := w.load(t)
	first := write(t, d, "r1-a", 9, named(1, "Ada"), named(2, "Bob"), named(3, "Cyd"))
	snaps = append(snaps, commit(t, d, lake.Commit{Run: "r1", Dir: "r1-a", Add: []lake.DataFile{first}}))
	rows = append(rows, scan(t, w.load(t)))
	d = w.load(t)
	second := write(t, d, "r2-a", 9, named(2, "Bea"))
	snaps = append(snaps, commit(t, d, lake.Commit{Run: "r2", Dir: "r2-a", Add: []lake.DataFile{second}, Deletes: map[string][]int64{first.Path: {1}}}))
	rows = append(rows, scan(t, w.load(t)))
	d = w.load(t)
	snaps = append(snaps, commit(t, d, lake.Commit{Run: "r3", Dir: "r3-a", Replace: true, Add: []lake.DataFile{write(t, d, "r3-a", 9, named(9, "Zoe"))}}))
	rows = append(rows, scan(t, w.load(t)))
	return snaps, rows
}

func TestAt(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	snaps, _ := versions(t, w)
	d := w.load(t)
	got := d.Snapshots()
	if len(got) != 3 {
		t.Fatalf("%d snapshots", len(got))
	}
	names := [][]string{{"Ada", "Bob", "Cyd"}, {"Ada", "Bea", "Cyd"}, {"Zoe"}}
	for i, s := range got {
		if s.ID != snaps[i].ID || s.Run != snaps[i].Run || i > 0 && s.ParentID != snaps[i-1].ID {
			t.Errorf("snapshot %d is %+v, not %+v", i, s, snaps[i])
		}
		then, err := d.At(s.ID)
		if err != nil {
			t.Fatal(err)
		}
		if cur, ok := then.Current(); !ok || cur.ID != s.ID || then.Rows() != int64(len(names[i])) || len(state(t, then)) != len(names[i]) {
			t.Errorf("at snapshot %d there are %d rows", i, then.Rows())
		}
		if got := namesOf(t, then); !slices.Equal(got, names[i]) {
			t.Errorf("at snapshot %d there are %v", i, got)
		}
		if _, ok, err := then.Find(t.Context(), key(9)); err != nil || ok != (i == 2) {
			t.Errorf("at snapshot %d key 9 is found: %v %v", i, ok, err)
		}
		if _, err := then.Commit(t.Context(), lake.Commit{Run: "r4"}); err == nil {
			t.Error("a version was committed to")
		}
	}
	if _, err := d.At(1); !errors.Is(err, lake.ErrNotExist) {
		t.Errorf("a snapshot that never was: %v", err)
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		snaps, rows := versions(t, w)
		// A restored snapshot can be restored again, and so can the snapshot that it replaced.
		for i, to := range []int{0, 2, 1, 0, 1} {
			run := fmt.Sprint("back", i)
			snap := commit(t, w.load(t), lake.Commit{Run: audience.RunID(run), Restore: snaps[to].ID, Props: map[string]string{"roster.x": run}})
			d := w.load(t)
			if cur, _ := d.Current(); cur.ID != snap.ID || cur.Props["roster.x"] != run || cur.Seq != int64(4+i) {
				t.Fatalf("the current snapshot is %+v", cur)
			}
			if got := scan(t, d); !slices.Equal(got, rows[to]) || d.Rows() != int64(len(rows[to])) {
				t.Fatalf("restored %d:\n%q\nnot\n%q", to, got, rows[to])
			}
		}
		// Runs continue: they delete another row of the first snapshot's file, and add a file.
		d := w.load(t)
		s, err := d.OpenState(t.Context(), lake.StateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		commit(t, d, lake.Commit{Run: "r5", Dir: "r5-a", Add: []lake.DataFile{write(t, d, "r5-a", 9, named(7, "Gus"))}, Deletes: map[string][]int64{s.Files()[0].Path: {0}}})
		if got := namesOf(t, w.load(t)); !slices.Equal(got, []string{"Bea", "Cyd", "Gus"}) || len(scan(t, w.load(t))) != 3 {
			t.Errorf("after another run there are %v", got)
		}
	})
}

func TestRestoreRefused(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	snaps, rows := versions(t, w)
	d := w.load(t)
	if _, err := d.Commit(t.Context(), lake.Commit{Run: "r4", Restore: 1}); !errors.Is(err, lake.ErrNotExist) {
		t.Errorf("a snapshot that never was is restored: %v", err)
	}
	if _, err := d.Commit(t.Context(), lake.Commit{Run: "r4", Restore: snaps[0].ID, Replace: true}); err == nil {
		t.Error("a restored snapshot replaces")
	}
	stale := w.load(t)
	if n, err := d.Expire(t.Context(), time.Now().Add(time.Minute)); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if _, err := stale.Commit(t.Context(), lake.Commit{Run: "r4", Restore: snaps[0].ID}); !errors.Is(err, lake.ErrNotExist) {
		t.Errorf("an expired snapshot is restored: %v", err)
	}
	commit(t, w.load(t), lake.Commit{Run: "r5"})
	if _, err := stale.Commit(t.Context(), lake.Commit{Run: "r4", Restore: snaps[2].ID}); !errors.Is(err, lake.ErrConflict) {
		t.Errorf("a stale restore: %v", err)
	}
	if got := scan(t, w.load(t)); !slices.Equal(got, rows[2]) {
		t.Errorf("the rows are %q", got)
	}
}

// A run that began before an expiry commits after it.
func TestCommitAfterExpire(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		versions(t, w)
		running := w.load(t)
		if n, err := w.load(t).Expire(t.Context(), time.Now().Add(time.Minute)); n != 2 || err != nil {
			t.Fatal(n, err)
		}
		commit(t, running, lake.Commit{Run: "r4", Dir: "r4-a", Add: []lake.DataFile{write(t, running, "r4-a", 9, named(1, "Ada"))}})
		if got := namesOf(t, w.load(t)); !slices.Equal(got, []string{"Ada", "Zoe"}) {
			t.Errorf("there are %v", got)
		}
		if n := len(w.load(t).Snapshots()); n != 2 {
			t.Errorf("%d snapshots", n)
		}
	})
}

// The age of a snapshot counts from its replacement. A snapshot of maintenance keeps the version of its run.
func TestExpire(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	if n, err := w.load(t).Expire(t.Context(), time.Now()); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	versions(t, w)
	d := w.load(t)
	commit(t, d, lake.Commit{Replace: true, Dir: lake.MaintenanceDir("a"), Add: []lake.DataFile{write(t, d, lake.MaintenanceDir("a"), 9, named(9, "Zoe"))}})
	d = w.load(t)
	all := d.Snapshots()
	if v := d.Versions(); len(all) != 4 || len(v) != 3 || v[2].ID != all[3].ID || v[2].Version != "r3" || v[2].Run != "" || v[1].Run != "r2" {
		t.Fatalf("versions %+v", v)
	}
	if s, ok := d.FindVersion("r3"); !ok || s.ID != all[3].ID {
		t.Errorf("r3's version is %+v", s)
	}
	for i, s := range all[1:] {
		if n, err := w.load(t).Expire(t.Context(), s.Time); n != 0 || err != nil {
			t.Errorf("the snapshot before %d expired when it was replaced: %v", i, err)
		}
		if n, err := w.load(t).Expire(t.Context(), s.Time.Add(time.Millisecond)); n != 1 || err != nil {
			t.Errorf("%d snapshots before %d expired: %v", n, i, err)
		}
	}
	if _, ok := w.load(t).FindRun("r3"); ok {
		t.Error("the snapshot of r3 is kept")
	}
	if s, ok := w.load(t).FindVersion("r3"); !ok || len(namesOf(t, w.load(t))) != 1 {
		t.Errorf("r3's version is %+v", s)
	}
}
