package lake_test

import (
	"testing"
	"time"

	"roster/internal/identity"
	"roster/internal/lake"
)

// TestHistory reads the rows of all versions, including deleted rows.
func TestHistory(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	versions(t, w)
	history, err := w.load(t).OpenHistory(t.Context(), lake.StateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cursor := history.Cursor()
	defer cursor.Close()
	rows, err := cursor.Range(identity.Key{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(history.Files()) != 3 || len(rows.IDs) != 5 {
		t.Errorf("%d files with %d rows", len(history.Files()), len(rows.IDs))
	}
}

// TestRemoveReplaced removes, after an expiry, exactly the files that only the earlier versions name.
func TestRemoveReplaced(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	for _, dir := range []string{"r1-a", "r2-a", "r3-a", "r4-a"} {
		leave(t, w.load(t), dir, "delta-000")
		leave(t, w.load(t), dir, "rejects.parquet")
	}
	snaps, rows := versions(t, w)
	commit(t, w.load(t), lake.Commit{Run: "r4", Dir: "r4-a", Restore: snaps[1].ID})
	d := w.load(t)
	replaced, err := d.Replaced(t.Context(), "rejects.parquet")
	if err != nil {
		t.Fatal(err)
	}
	before := w.files(t)
	if err := d.RemoveReplaced(t.Context(), append(replaced, "../outside", "metadata/absent.avro")); err != nil {
		t.Fatal(err)
	}
	if after := w.files(t); len(after) != len(before) {
		t.Fatalf("files that snapshots name were removed: %v", after)
	}
	if n, err := d.Expire(t.Context(), time.Now().Add(time.Hour)); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	for range 2 {
		if err := w.load(t).RemoveReplaced(t.Context(), replaced); err != nil {
			t.Fatal(err)
		}
	}
	after := w.files(t)
	for part, want := range map[string]bool{"data/r1-a/": true, "data/r2-a/": true, "data/r3-a/": false, "roster/r1-a/delta": false, "roster/r3-a/delta": false,
		"roster/r4-a/delta": true, "roster/r1-a/rejects": true, "roster/r3-a/rejects": true} {
		if hasAny(after, part) != want {
			t.Errorf("%s: %v", part, after)
		}
	}
	if got := scan(t, w.load(t)); len(got) != len(rows[1]) {
		t.Errorf("the dataset has %v, want %v", got, rows[1])
	}
	left, err := w.load(t).FilesBeside("rejects.parquet")
	if err != nil || len(left) != 4 {
		t.Errorf("%v, %v", left, err)
	}
}
