package lake_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"roster/internal/lake"
)

// places returns the place of each live member.
func places(t *testing.T, d *lake.Dataset) map[uint64]place {
	t.Helper()
	s, err := d.OpenState(t.Context(), lake.StateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cursor := s.Cursor()
	defer cursor.Close()
	at := map[uint64]place{}
	for n := range uint64(100_000) {
		k := key(n)
		hi := key(n + 1)
		rows, err := cursor.Range(k, &hi)
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows.IDs {
			at[n] = place{s.Files()[rows.File[i]].Path, rows.Pos[i]}
		}
	}
	return at
}

// fold rewrites the given number of files of a dataset and returns the commit.
func fold(t *testing.T, d *lake.Dataset, dir string, files int) lake.Commit {
	t.Helper()
	s, err := d.OpenState(t.Context(), lake.StateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := lake.Commit{Dir: lake.MaintenanceDir(dir), Fold: map[string]bool{}, Props: map[string]string{"roster.x": "y"},
		Carry: func(s lake.Snapshot) map[string]string { return map[string]string{"roster.of": string(s.Run)} }}
	for _, f := range s.Files()[:files] {
		c.Fold[f.Path] = true
	}
	if c.Add, err = d.Rewrite(t.Context(), lake.RewriteOptions{Dir: c.Dir, Memory: 1 << 30, FileSize: 1 << 30, Only: c.Fold}); err != nil {
		t.Fatal(err)
	}
	return c
}

// A fold and a run that were prepared independently both commit, in either order.
func TestFoldBesideRuns(t *testing.T) {
	t.Parallel()
	w := setup(t, allTypes)
	rnd := rand.New(rand.NewPCG(3, 4))
	live := map[uint64]place{}
	for run := range 6 {
		commit(t, w.load(t), randomRun(t, w, rnd, run, live))
	}
	sorted := func() []string { return slices.Sorted(slices.Values(allRows(t, w.load(t)))) }

	d := w.load(t) // a fold is prepared, then two runs commit
	c := fold(t, d, "x", 4)
	for run := range 2 {
		commit(t, w.load(t), randomRun(t, w, rnd, 6+run, live))
	}
	want := sorted()
	snap := commit(t, d, c)
	if got := sorted(); !slices.Equal(got, want) || len(want) != len(live) {
		t.Fatalf("a fold after runs: %d rows became %d", len(want), len(got))
	}
	if snap.Props["roster.of"] != "r" || snap.Props["roster.x"] != "" || snap.Version != "r" {
		t.Errorf("the snapshot is %+v", snap)
	}
	if got := scan(t, w.load(t)); len(got) != len(want) {
		t.Errorf("iceberg-go reads %d rows", len(got))
	}

	live = places(t, w.load(t)) // a run is prepared, then a fold commits
	d = w.load(t)
	run := randomRun(t, w, rnd, 8, live)
	commit(t, w.load(t), fold(t, w.load(t), "y", 3))
	run.Run = "r8"
	commit(t, d, run)
	if got := sorted(); len(got) != len(live) {
		t.Fatalf("a run after a fold: %d rows, want %d", len(got), len(live))
	}
	if got := scan(t, w.load(t)); len(got) != len(live) {
		t.Errorf("iceberg-go reads %d rows", len(got))
	}
	if l, err := w.load(t).Layout(t.Context()); err != nil || l.Rows < int64(len(live)) {
		t.Errorf("the layout is %+v: %v", l, err)
	}

	d = w.load(t) // a fold of rows that no run has deleted in between
	s, err := d.OpenState(t.Context(), lake.StateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, d, fold(t, d, "all", len(s.Files())))
	d = w.load(t)
	c = fold(t, d, "added", 1)
	f := write(t, d, "r10-a", 4000, randomMember(rnd, 200_000))
	commit(t, w.load(t), lake.Commit{Run: "r10", Dir: "r10-a", Add: []lake.DataFile{f}})
	commit(t, d, c)
	if got := sorted(); len(got) != len(live)+1 {
		t.Fatalf("a fold after a run: %d rows, want %d", len(got), len(live)+1)
	}

	d = w.load(t) // replaced files are not folded
	c = fold(t, d, "z", 2)
	f = write(t, d, "r9-a", 4000, randomMember(rnd, 1))
	commit(t, w.load(t), lake.Commit{Run: "r9", Replace: true, Dir: "r9-a", Add: []lake.DataFile{f}})
	if _, err := d.Commit(t.Context(), c); !errors.Is(err, lake.ErrConflict) {
		t.Errorf("a fold of files that are gone: %v", err)
	}
}
