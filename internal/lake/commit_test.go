package lake_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"roster/internal/audience"
	"roster/internal/lake"
)

func names(t testing.TB, d *lake.Dataset) string {
	var out []string
	for _, line := range scan(t, d) {
		out = append(out, strings.Fields(line)[0])
	}
	return strings.Join(out, " ")
}

func TestCommits(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		d := w.load(t)
		first := write(t, d, "r1-a", 2, named(10, "Ada"), named(20, "Barbara"), named(30, "Cynthia"))
		second := write(t, d, "r1-a", 2, named(40, "Dorothy"), named(50, "Edith"))
		one := commit(t, d, lake.Commit{Run: "r1", Dir: "r1-a", Add: []lake.DataFile{first, second}, Props: map[string]string{"roster.x": "y"}})
		if one.ID == 0 || one.ParentID != 0 || one.Seq != 1 || !reflect.DeepEqual(one.Props, map[string]string{"roster.x": "y", "roster.run-id": "r1", "roster.dir": "r1-a", "roster.live-rows": "5"}) {
			t.Errorf("the first snapshot is %+v", one)
		}
		if _, ok := d.Current(); ok || d.Rows() != 0 {
			t.Error("a commit changed the view that it was made from")
		}
		step := func(c lake.Commit, want string, rows int64, files int) {
			t.Helper()
			before := w.load(t)
			parent, _ := before.Current()
			snap := commit(t, before, c)
			d := w.load(t)
			if snap.ParentID != parent.ID || snap.Seq != parent.Seq+1 {
				t.Errorf("snapshot %+v follows %+v", snap, parent)
			}
			if now, ok := d.Current(); !ok || !reflect.DeepEqual(now, snap) {
				t.Errorf("current is %+v instead of %+v", now, snap)
			}
			s, err := d.OpenState(t.Context(), lake.StateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got := names(t, d); got != want || d.Rows() != rows || len(state(t, d)) != int(rows) || len(s.Files()) != files {
				t.Errorf("%s: %q, %d rows, %d files", c.Run, got, d.Rows(), len(s.Files()))
			}
		}
		step(lake.Commit{Run: "r2"}, "Ada Barbara Cynthia Dorothy Edith", 5, 2)
		step(lake.Commit{Run: "r3", Dir: "r3-a", Deletes: map[string][]int64{first.Path: {2, 0, 2}, second.Path: nil}}, "Barbara Dorothy Edith", 3, 2)
		third := write(t, d, "r4-a", 2, named(10, "Ada2"), named(60, "Frances"))
		step(lake.Commit{Run: "r4", Dir: "r4-a", Add: []lake.DataFile{third}, Deletes: map[string][]int64{second.Path: {0}}}, "Ada2 Barbara Edith Frances", 4, 3)
		if w.load(t).Bytes() <= first.Bytes+second.Bytes+third.Bytes {
			t.Errorf("%d bytes", w.load(t).Bytes())
		}
		fourth := write(t, d, "r5-a", 2, named(1, "Grace"))
		step(lake.Commit{Run: "r5", Replace: true, Add: []lake.DataFile{fourth}}, "Grace", 1, 1)
		if w.load(t).Bytes() != fourth.Bytes {
			t.Errorf("%d bytes", w.load(t).Bytes())
		}
		step(lake.Commit{Run: "r6", Dir: "r6-a", Deletes: map[string][]int64{fourth.Path: {0}}}, "", 0, 0) // the file has no rows any more
		step(lake.Commit{Run: "r7", Replace: true}, "", 0, 0)
		step(lake.Commit{Run: "r8", Replace: true}, "", 0, 0)
		step(lake.Commit{Run: "r9", Replace: true, Add: []lake.DataFile{write(t, d, "r9-a", 2, named(5, "Hedy"))}}, "Hedy", 1, 1)
		for i := 1; i <= 9; i++ {
			run := audience.RunID(fmt.Sprint("r", i))
			if snap, ok := w.load(t).FindRun(run); !ok || snap.Seq != int64(i) || snap.Props["roster.run-id"] != string(run) {
				t.Errorf("run %s committed %+v", run, snap)
			}
		}
		if _, ok := w.load(t).FindRun("r10"); ok {
			t.Error("a run is found that committed nothing")
		}
	})
}

// The first snapshot of a table may have no rows, for every kind of commit.
func TestFirstCommitEmpty(t *testing.T) {
	t.Parallel()
	for _, replace := range []bool{false, true} {
		w := setup(t, nameField)
		snap := commit(t, w.load(t), lake.Commit{Run: "r1", Replace: replace})
		if now, ok := w.load(t).Current(); !ok || now.ID != snap.ID || names(t, w.load(t)) != "" {
			t.Errorf("%+v, %+v", now, snap)
		}
		if got := state(t, w.load(t)); len(got) != 0 {
			t.Error(got)
		}
	}
}

func TestConflict(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		first lake.Commit
		make  func(t *testing.T, d *lake.Dataset, f lake.DataFile) lake.Commit
	}{
		{"add", lake.Commit{Run: "r2"}, func(t *testing.T, d *lake.Dataset, f lake.DataFile) lake.Commit {
			return lake.Commit{Run: "r3", Add: []lake.DataFile{write(t, d, "r3-a", 9, named(2, "Grace"))}}
		}},
		{"delta", lake.Commit{Run: "r2"}, func(t *testing.T, d *lake.Dataset, f lake.DataFile) lake.Commit {
			return lake.Commit{Run: "r3", Dir: "r3-a", Deletes: map[string][]int64{f.Path: {0}}}
		}},
		{"replace", lake.Commit{Run: "r2", Replace: true}, func(t *testing.T, d *lake.Dataset, f lake.DataFile) lake.Commit {
			return lake.Commit{Run: "r3", Replace: true, Add: []lake.DataFile{write(t, d, "r3-a", 9, named(2, "Grace"))}}
		}},
		{"nothing", lake.Commit{Run: "r2"}, func(t *testing.T, d *lake.Dataset, f lake.DataFile) lake.Commit { return lake.Commit{Run: "r3"} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, w *world) {
				d := w.load(t)
				f := write(t, d, "r1-a", 9, named(1, "Ada"))
				commit(t, d, lake.Commit{Run: "r1", Add: []lake.DataFile{f}})
				one, two := w.load(t), w.load(t)
				commit(t, one, c.first)
				after := w.load(t)
				if _, err := two.Commit(t.Context(), c.make(t, two, f)); !errors.Is(err, lake.ErrConflict) {
					t.Errorf("the second commit: %v", err)
				}
				if now := w.load(t); now.MetadataLocation() != after.MetadataLocation() || names(t, now) != names(t, after) {
					t.Error("a refused commit changed the table")
				}
			})
		})
	}
}

// If several commits race from one snapshot, exactly one succeeds. The others return an error and leave no metadata.
func TestRace(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		const racers = 8
		results := make(chan error, racers)
		views := make([]*lake.Dataset, racers)
		for i := range views {
			views[i] = w.load(t)
		}
		for i, d := range views {
			go func() {
				_, err := d.Commit(context.Background(), lake.Commit{Run: audience.RunID(fmt.Sprint("r", i))})
				results <- err
			}()
		}
		won := 0
		for range racers {
			if err := <-results; err == nil {
				won++
			} else if !errors.Is(err, lake.ErrConflict) {
				t.Errorf("a loser's error: %v", err)
			}
		}
		if snap, _ := w.load(t).Current(); won != 1 || snap.Seq != 1 {
			t.Errorf("%d won; %+v", won, snap)
		}
		metadata := 0
		for _, f := range w.files(t) {
			if strings.HasSuffix(f, ".metadata.json") {
				metadata++
			}
		}
		if metadata != 2 {
			t.Errorf("%d metadata files are left of a table that was created and changed once", metadata)
		}
	})
}

// If the catalog does not answer, it is unknown whether the commit succeeded, and the error says so.
func TestUncertain(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	d := w.load(t)
	w.cfg.Catalog.Close()
	if _, err := d.Commit(t.Context(), lake.Commit{Run: "r1"}); !errors.Is(err, lake.ErrUncertain) {
		t.Error(err)
	}
}

// A database may commit and still return an error. The run is found in the table nevertheless.
func TestCommittedWithAnError(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	d := w.load(t)
	snap := commit(t, w.load(t), lake.Commit{Run: "r1"})
	if got, err := d.Commit(t.Context(), lake.Commit{Run: "r1"}); err != nil || !reflect.DeepEqual(got, snap) {
		t.Errorf("%+v instead of %+v: %v", got, snap, err)
	}
}

// TestWholeFiles deletes all rows of two data files, and some rows of others, in one commit. The files without rows and
// their position deletes leave the table.
func TestWholeFiles(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	var files []lake.DataFile
	for i := range 4 {
		d, dir := w.load(t), fmt.Sprintf("r%d-a", i)
		f := write(t, d, dir, 9, named(uint64(i*10+1), fmt.Sprint("A", i)), named(uint64(i*10+2), fmt.Sprint("B", i)), named(uint64(i*10+3), fmt.Sprint("C", i)))
		commit(t, d, lake.Commit{Run: audience.RunID(fmt.Sprint("r", i)), Dir: dir, Add: []lake.DataFile{f}})
		files = append(files, f)
	}
	commit(t, w.load(t), lake.Commit{Run: "some", Dir: "some-a", Deletes: map[string][]int64{files[0].Path: {0}, files[2].Path: {2}}})
	d := w.load(t)
	more := write(t, d, "last-a", 9, named(99, "Z"))
	commit(t, d, lake.Commit{Run: "last", Dir: "last-a", Add: []lake.DataFile{more}, Doomed: map[string][]uint64{files[0].Path: {0b111}, files[1].Path: {0b010}, files[3].Path: {0}},
		Deletes: map[string][]int64{files[2].Path: {0, 1, 2}, files[1].Path: {2}}})
	d = w.load(t)
	s, err := d.OpenState(t.Context(), lake.StateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	layout, err := d.Layout(t.Context())
	if want := "A1 A3 B3 C3 Z"; names(t, d) != want || err != nil || layout.Files != 3 || layout.DeleteFiles != 1 || len(s.Files()) != 3 {
		t.Errorf("%q, %+v %v", names(t, d), layout, err)
	}
	if got := scan(t, d); len(got) != 5 {
		t.Errorf("another reader sees %d rows", len(got))
	}
}

func TestWrongDeletes(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	d := w.load(t)
	f := write(t, d, "r1-a", 9, named(1, "Ada"))
	commit(t, d, lake.Commit{Run: "r1", Add: []lake.DataFile{f}})
	for name, c := range map[string]lake.Commit{
		"of another file": {Deletes: map[string][]int64{"file:///else": {0}}},
		"behind the end":  {Deletes: map[string][]int64{f.Path: {1}}},
		"before the rows": {Deletes: map[string][]int64{f.Path: {-1}}},
		"with Replace":    {Replace: true, Deletes: map[string][]int64{f.Path: {0}}},
		"of no file":      {Doomed: map[string][]uint64{"file:///else": {1}}},
	} {
		c.Run, c.Dir = "r2", "r2-a"
		d := w.load(t)
		if _, err := d.Commit(t.Context(), c); err == nil {
			t.Errorf("deletes %s were committed", name)
		}
		if now := w.load(t); now.MetadataLocation() != d.MetadataLocation() {
			t.Errorf("deletes %s changed the table", name)
		}
	}
}

// The number of metadata files is limited.
func TestMetadataFilesAreBounded(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	for i := range 25 {
		commit(t, w.load(t), lake.Commit{Run: audience.RunID(fmt.Sprint("r", i))})
	}
	if m, _ := filepath.Glob(filepath.Join(w.dir(), "metadata", "*.metadata.json")); len(m) > 21 {
		t.Errorf("%d metadata files", len(m))
	}
	if _, ok := w.load(t).FindRun("r0"); !ok {
		t.Error("the first run is not found")
	}
	if m, _ := filepath.Glob(filepath.Join(w.dir(), "data", "*")); len(m) != 0 {
		t.Errorf("commits of nothing wrote %v", m)
	}
}

// Only the owner can read the directories of a lake, because they contain personal data.
func TestPermissions(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	d := w.load(t)
	f := write(t, d, "r1-a", 9, named(1, "Ada"))
	commit(t, d, lake.Commit{Run: "r1", Add: []lake.DataFile{f}})
	commit(t, w.load(t), lake.Commit{Run: "r2", Dir: "r2-a", Deletes: map[string][]int64{f.Path: {0}}})
	n := 0
	err := filepath.WalkDir(w.cfg.Warehouse, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %s", path, info.Mode())
		}
		n++
		return err
	})
	if err != nil || n < 10 {
		t.Error(n, err)
	}
}

// Another program may commit to the table. The number of its rows comes from the snapshot's Iceberg totals.
func TestSnapshotOfAnotherProgram(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	d := w.load(t)
	f := write(t, d, "r1-a", 9, named(1, "Ada"), named(2, "Grace"), named(3, "Hedy"))
	commit(t, d, lake.Commit{Run: "r1", Add: []lake.DataFile{f}})
	commit(t, w.load(t), lake.Commit{Run: "r2", Dir: "r2-a", Deletes: map[string][]int64{f.Path: {1}}})
	tbl, err := w.Table(t.Context(), w.table)
	if err != nil {
		t.Fatal(err)
	}
	none, err := array.NewRecordReader(d.Schema(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tbl.Append(t.Context(), none, nil); err != nil {
		t.Fatal(err)
	}
	d = w.load(t)
	if snap, _ := d.Current(); snap.Seq != 3 || len(snap.Props) != 0 || d.Rows() != 2 || names(t, d) != "Ada Hedy" {
		t.Errorf("%+v, %d rows: %s", snap, d.Rows(), names(t, d))
	}
	if basis, ok := d.Basis(); !ok || basis.Run != "r2" {
		t.Errorf("the last run's snapshot is %+v", basis)
	}
	commit(t, d, lake.Commit{Run: "r3", Dir: "r3-a", Deletes: map[string][]int64{f.Path: {0}}})
	if basis, ok := w.load(t).Basis(); !ok || basis.Run != "r3" {
		t.Errorf("the last run's snapshot is %+v", basis)
	}
	if d = w.load(t); d.Rows() != 1 || names(t, d) != "Hedy" {
		t.Errorf("%d rows: %s", d.Rows(), names(t, d))
	}
}
