package lake_test

import (
	"maps"
	"slices"
	"testing"

	"roster/internal/identity"
	"roster/internal/lake"
)

// TestHistory reads the rows of all versions, including deleted rows.
func TestHistory(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	versions(t, w)
	read, err := w.load(t).ReadHistory(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	history, err := read.State(lake.StateOptions{})
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

// TestDrop drops the versions that name a file, and removes exactly the files that only these versions name. The versions
// before and after them stay.
func TestDrop(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	for _, dir := range []string{"r1-a", "r2-a", "r3-a", "r4-a", "r5-a"} {
		leave(t, w.load(t), dir, "delta-000")
		leave(t, w.load(t), dir, "rejects.parquet")
	}
	snaps, _ := versions(t, w)
	commit(t, w.load(t), lake.Commit{Run: "r4", Dir: "r4-a", Restore: snaps[0].ID})
	commit(t, w.load(t), lake.Commit{Run: "r5", Dir: "r5-a", Add: []lake.DataFile{write(t, w.load(t), "r5-a", 9, named(5, "Eve"))}})
	d := w.load(t)
	history, err := d.ReadHistory(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	state, err := history.State(lake.StateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	holders, err := state.FindKeys(t.Context(), []identity.Key{key(4), key(9)})
	if err != nil || len(holders.Files) != 1 || len(holders.Keys) != 1 || !holders.Keys[key(9)] {
		t.Fatalf("%+v, %v", holders, err)
	}
	byRow, err := state.FindRows(t.Context(), func(rows *lake.StateRows, i int, found func(identity.Key)) {
		if rows.IDs[i] == key(9) {
			found(key(9))
		}
	})
	if err != nil || !maps.Equal(byRow.Files, holders.Files) || !maps.Equal(byRow.Keys, holders.Keys) {
		t.Fatalf("%+v, %v", byRow, err)
	}
	gone := history.Naming(holders.Files)
	if lost := history.VersionsOf(gone); len(gone) != 1 || gone[0].ID != snaps[2].ID || len(lost) != 1 || lost[0].Version != "r3" {
		t.Fatalf("%+v name the file, the versions %+v would be lost", gone, lost)
	}
	doomed, err := history.OnlyOf(t.Context(), gone, "rejects.parquet")
	if err != nil {
		t.Fatal(err)
	}
	before := w.files(t)
	if err := d.RemoveUnnamed(t.Context(), append(doomed, "../outside", "metadata/absent.avro"), nil); err != nil {
		t.Fatal(err)
	}
	if after := w.files(t); len(after) != len(before) {
		t.Fatalf("files that snapshots name were removed: %v", after)
	}
	if err := d.Drop(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.load(t).RemoveUnnamed(t.Context(), doomed, history); err != nil {
			t.Fatal(err)
		}
	}
	after := w.files(t)
	for part, want := range map[string]bool{"data/r1-a/": true, "data/r2-a/": true, "data/r3-a/": false, "roster/r1-a/delta": true, "roster/r2-a/delta": true,
		"roster/r3-a/delta": false, "roster/r4-a/delta": true, "roster/r1-a/rejects": true, "roster/r3-a/rejects": true} {
		if hasAny(after, part) != want {
			t.Errorf("%s: %v", part, after)
		}
	}
	for i, snap := range snaps[:2] {
		then, err := w.load(t).At(snap.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := namesOf(t, then), [][]string{{"Ada", "Bob", "Cyd"}, {"Ada", "Bea", "Cyd"}}[i]; !slices.Equal(got, want) {
			t.Errorf("version %d has %v, want %v", i, got, want)
		}
	}
	if got := namesOf(t, w.load(t)); len(got) != 4 {
		t.Errorf("the dataset has %v", got)
	}
	left, err := w.load(t).FilesBeside("rejects.parquet")
	if err != nil || len(left) != 5 {
		t.Errorf("%v, %v", left, err)
	}
}
