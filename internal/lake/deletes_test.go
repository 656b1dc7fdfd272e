package lake_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"roster/internal/audience"
	"roster/internal/lake"
)

// deleteFiles returns the delete files of the table's current snapshot.
func deleteFiles(t *testing.T, w *world) (out []iceberg.DataFile) {
	t.Helper()
	tasks, err := other{w, t}.table().Scan().PlanFiles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, task := range tasks {
		for _, f := range append(slices.Clone(task.DeleteFiles), task.DeletionVectorFiles...) {
			if of := f.ReferencedDataFile(); of == nil || !seen[*of+f.FilePath()] {
				if of != nil {
					seen[*of+f.FilePath()] = true
				}
				out = append(out, f)
			}
		}
	}
	return out
}

// twoFiles writes two data files to the table.
func twoFiles(t *testing.T, w *world, all []member) (a, b lake.DataFile) {
	t.Helper()
	d := w.load(t)
	half := len(all) / 2
	a, b = write(t, d, "r1-a", 7, all[:half]...), write(t, d, "r1-a", 7, all[half:]...)
	commit(t, d, lake.Commit{Run: "r1", Dir: "r1-a", Add: []lake.DataFile{a, b}})
	return a, b
}

// TestDeleteFileOfOneDataFile checks that each file of position deletes belongs to one data file, which its bounds
// name.
func TestDeleteFileOfOneDataFile(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	all := manyNamed(0, 40)
	a, b := twoFiles(t, w, all)
	commit(t, w.load(t), lake.Commit{Run: "r2", Dir: "r2-a", Deletes: map[string][]int64{a.Path: {3, 1}, b.Path: {0}}})
	files := deleteFiles(t, w)
	if len(files) != 2 {
		t.Fatalf("%d delete files", len(files))
	}
	for _, f := range files {
		const path = 2147483546
		if lower, upper := string(f.LowerBoundValues()[path]), string(f.UpperBoundValues()[path]); lower != upper || lower != a.Path && lower != b.Path {
			t.Errorf("the paths of the deletes lie between %q and %q", lower, upper)
		}
	}
	checkRows(t, w, slices.Concat(all[:1], all[2:3], all[4:20], all[21:]))
}

// TestUpgradedElsewhere lets another program upgrade the table to format version 3, in which deletes are deletion
// vectors.
func TestUpgradedElsewhere(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	all := manyNamed(0, 40)
	a, b := twoFiles(t, w, all)
	commit(t, w.load(t), lake.Commit{Run: "r2", Dir: "r2-a", Deletes: map[string][]int64{a.Path: {0, 1}}})
	other{w, t}.change(func(_ context.Context, tx *table.Transaction) error { return tx.UpgradeFormatVersion(3) })
	checkRows(t, w, all[2:])

	version, _ := w.load(t).FindVersion("r2")
	for run, deletes := range map[string]map[string][]int64{"r3": {a.Path: {2}}, "r4": {b.Path: {19}}} {
		commit(t, w.load(t), lake.Commit{Run: audience.RunID(run), Dir: run + "-a", Deletes: deletes})
	}
	commit(t, w.load(t), lake.Commit{Run: "r5", Dir: "r5-a", Deletes: map[string][]int64{a.Path: {3}}})
	checkRows(t, w, all[4:39])
	for _, f := range deleteFiles(t, w) {
		if !table.IsDeletionVector(f) && !strings.HasSuffix(f.FilePath(), ".parquet") {
			t.Errorf("deletes in %s", f.FilePath())
		}
	}
	if got := scan(t, w.load(t)); len(got) != 35 {
		t.Errorf("another reader sees %d rows, want 35", len(got))
	}
	d := w.load(t)
	more := manyNamed(40, 45)
	commit(t, d, lake.Commit{Run: "r6", Dir: "r6-a", Add: []lake.DataFile{write(t, d, "r6-a", 7, more...)}, Deletes: map[string][]int64{b.Path: {18}}})
	checkRows(t, w, slices.Concat(all[4:38], more))

	commit(t, w.load(t), lake.Commit{Run: "r7", Dir: "r7-a", Restore: version.ID})
	checkRows(t, w, all[2:])
	d = w.load(t)
	files, err := d.Rewrite(t.Context(), lake.RewriteOptions{Dir: "maintenance-1", Memory: 64 << 20, FileSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, d, lake.Commit{Replace: true, Add: files, Dir: "maintenance-1"})
	checkRows(t, w, all[2:])
	if got := scan(t, w.load(t)); len(got) != 38 {
		t.Errorf("another reader sees %d rows, want 38", len(got))
	}
}
