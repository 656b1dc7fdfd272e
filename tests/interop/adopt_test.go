package interop

import (
	"testing"

	"roster/client"
)

// TestSparkWrites has Spark update, delete and insert people, and rewrite the files of the table. The next run adopts it.
func TestSparkWrites(t *testing.T) {
	t.Parallel()
	a := besideSpark(t, 300)
	a.sql("UPDATE {table} SET `full name` = 'Changed' WHERE mail = 'person0@example.com'")
	a.sql("DELETE FROM {table} WHERE mail = 'person1@example.com'")
	a.sql("INSERT INTO {table} SELECT 'inserted@example.com', `full name`, `city.code`, born, score, points, big, ok, seen, _roster_id, _roster_row, _roster_since, _roster_seen, _roster_run, _roster_file, _roster_line FROM {table} WHERE mail = 'person2@example.com'")
	want := func(what string, members client.Members, outside int) {
		t.Helper()
		if a.im.Run.Members == nil || *a.im.Run.Members != members || len(a.im.Run.Outside) != outside {
			t.Errorf("%s: %+v outside %+v", what, a.im.Run.Members, a.im.Run.Outside)
		}
	}
	a.run("--changes", a.people(300, 310, 2))
	want("after UPDATE, DELETE and INSERT", client.Members{Before: 300, After: 310}, 3)
	if o := a.im.Run.Outside; len(o) > 0 && o[0].Engine == "" {
		t.Errorf("Spark is not named: %+v", o)
	}
	members := a.members()
	if _, deleted := members["person1@example.com"]; len(members) != 310 || deleted || members["inserted@example.com"] == nil {
		t.Errorf("%d members", len(members))
	}

	a.sql("CALL roster.system.rewrite_manifests('{name}')")
	a.sql("CALL roster.system.rewrite_data_files(table => '{name}', options => map('rewrite-all', 'true'))")
	a.run("--changes", a.people(310, 320, 3))
	if o := len(a.im.Run.Outside); o == 0 {
		t.Error("the rewrite left no trace in the ledger")
	}
	want("after a rewrite", client.Members{Before: 310, After: 320}, len(a.im.Run.Outside))
	if n := len(a.members()); n != 320 {
		t.Errorf("%d members after a rewrite", n)
	}
}
