package lake_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"roster/internal/lake"
)

// randomMember returns a member with values of all types, and nulls.
func randomMember(rnd *rand.Rand, n uint64) member {
	m := member{id: key(n), row: rnd.Int64(), since: rnd.Int64N(1e15), seen: rnd.Int64N(1e15), values: []any{
		fmt.Sprint("é", rnd.Uint64()), rnd.Float64(), rnd.Int64(), rnd.Int32(), arrow.Date32(rnd.Int32N(30000)), arrow.Timestamp(rnd.Int64N(1e15)), rnd.IntN(2) == 0,
	}}
	for i := range m.values {
		if rnd.IntN(5) == 0 {
			m.values[i] = nil
		}
	}
	return m
}

// allRows returns the rows in file order.
func allRows(t testing.TB, d *lake.Dataset) []string {
	t.Helper()
	var out []string
	if err := d.Scan(t.Context(), lake.ScanOptions{}, func(rec arrow.RecordBatch, _ lake.Position) error {
		out = append(out, lines(rec)...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRewrite(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]lake.RewriteOptions{
		"at once":      {Memory: 1 << 30, FileSize: 1 << 30},
		"in rounds":    {Memory: 1, FileSize: 1 << 30}, // two files at a time
		"into several": {Memory: 1 << 30, FileSize: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, allTypes)
			rnd := rand.New(rand.NewPCG(1, 2))
			live := map[uint64]place{}
			for run := range 12 {
				commit(t, w.load(t), randomRun(t, w, rnd, run, live))
			}
			d := w.load(t)
			want := slices.Sorted(slices.Values(allRows(t, d)))
			o.Dir = lake.MaintenanceDir("x")
			files, err := d.Rewrite(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if hasAny(w.files(t), "interim") {
				t.Errorf("interim files are left: %v", w.files(t))
			}
			snap := commit(t, d, lake.Commit{Replace: true, Add: files, Dir: o.Dir, Props: map[string]string{"roster.run-id": "r11", "roster.x": "y"}})
			if snap.Run != "" || snap.Props["roster.x"] != "y" {
				t.Errorf("the snapshot is %+v", snap)
			}
			d = w.load(t)
			if got := slices.Sorted(slices.Values(allRows(t, d))); !slices.Equal(got, want) || len(want) != len(live) {
				t.Fatalf("%d rows became %d", len(want), len(got))
			}
			if got := scan(t, d); len(got) != len(want) {
				t.Errorf("iceberg-go reads %d rows", len(got))
			}
			wantSorted(t, d)
			if l, err := d.Layout(t.Context()); err != nil || l.Rows != d.Rows() || l.DeleteFiles != 0 || l.Files != len(files) {
				t.Errorf("the layout is %+v: %v", l, err)
			}
		})
	}
}

// randomRun writes rows of new and existing members, and deletes old rows and some members.
func randomRun(t *testing.T, w *world, rnd *rand.Rand, run int, live map[uint64]place) lake.Commit {
	t.Helper()
	var members []member
	var keys []uint64
	for n := range uint64(100_000) {
		if rnd.IntN(30) == 0 {
			keys = append(keys, n)
			members = append(members, randomMember(rnd, n))
		}
	}
	dir := fmt.Sprintf("r%d-a", run)
	c := lake.Commit{Run: "r", Dir: dir, Deletes: map[string][]int64{}, Add: []lake.DataFile{write(t, w.load(t), dir, 4000, members...)}}
	for i, n := range keys {
		if at, ok := live[n]; ok {
			c.Deletes[at.path] = append(c.Deletes[at.path], at.pos)
		}
		live[n] = place{c.Add[0].Path, int64(i)}
	}
	for n := range uint64(100_000) {
		if at, ok := live[n]; ok && at.path != c.Add[0].Path && rnd.IntN(50) == 0 {
			c.Deletes[at.path] = append(c.Deletes[at.path], at.pos)
			delete(live, n)
		}
	}
	return c
}

// wantSorted checks that keys ascend across all files.
func wantSorted(t *testing.T, d *lake.Dataset) {
	t.Helper()
	var last []byte
	if err := d.Scan(t.Context(), lake.ScanOptions{Columns: []string{"_roster_id"}}, func(rec arrow.RecordBatch, _ lake.Position) error {
		ids := rec.Column(0).(*array.FixedSizeBinary)
		for i := range ids.Len() {
			if last != nil && bytes.Compare(last, ids.Value(i)) >= 0 {
				return fmt.Errorf("key %x after %x", ids.Value(i), last)
			}
			last = bytes.Clone(ids.Value(i))
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestRewriteNothing(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	d := w.load(t)
	f := write(t, d, "r1-a", 9, named(1, "Ada"))
	commit(t, d, lake.Commit{Run: "r1", Dir: "r1-a", Add: []lake.DataFile{f}})
	d = w.load(t)
	commit(t, d, lake.Commit{Run: "r2", Dir: "r2-a", Deletes: map[string][]int64{f.Path: {0}}})
	d = w.load(t)
	files, err := d.Rewrite(t.Context(), lake.RewriteOptions{Dir: "maintenance-x", Memory: 1 << 20, FileSize: 1 << 20})
	if err != nil || len(files) != 0 {
		t.Fatal(files, err)
	}
	commit(t, d, lake.Commit{Replace: true, Dir: "maintenance-x"})
	if d = w.load(t); d.Rows() != 0 || len(scan(t, d)) != 0 {
		t.Errorf("%d rows", d.Rows())
	}
}
