package interop

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"roster/client"
	"roster/tests/rostertest"
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

// TestSparkChangesOursAndTheirs has Spark add columns of several types, and then change the audience's values together
// with those of the added columns. Each row keeps the values of the added columns that Spark wrote last.
func TestSparkChangesOursAndTheirs(t *testing.T) {
	t.Parallel()
	a := besideSpark(t, 300)
	a.sql("ALTER TABLE {table} ADD COLUMNS (tier string, spent decimal(12,2), tags map<string, array<int>>, `at` timestamp)")
	a.sql("UPDATE {table} SET `full name` = 'Changed', tier = concat('updated ', mail), spent = 12.34, tags = map(mail, array(1, NULL, 3)), " +
		"`at` = TIMESTAMP '2026-01-02 03:04:05.000006' WHERE mail < 'person2'")
	a.sql("INSERT INTO {table} SELECT concat('new', mail), `full name`, `city.code`, born, score, points, big, ok, seen, _roster_id, _roster_row, " +
		"_roster_since, _roster_seen, _roster_run, _roster_file, _roster_line, concat('inserted new', mail), 12.34, map(mail, array(1, NULL, 3)), " +
		"TIMESTAMP '2026-01-02 03:04:05.000006' FROM {table} WHERE mail < 'person11' ORDER BY points")
	// A second row of a member, with the same values of the audience and other values of the added columns.
	a.sql("INSERT INTO {table} SELECT mail, `full name`, `city.code`, born, score, points, big, ok, seen, _roster_id, _roster_row, _roster_since, _roster_seen, " +
		"_roster_run, _roster_file, _roster_line, concat('again ', mail), NULL, NULL, NULL FROM {table} WHERE mail = 'person299@example.com'")
	type counts struct{ updated, inserted, again, none float64 }
	want := func(what string, want counts) {
		t.Helper()
		const given = "spent = 12.34 AND tags[replace(mail, 'new')] = array(1, NULL, 3) AND `at` = TIMESTAMP '2026-01-02 03:04:05.000006'"
		r := a.sql("SELECT count_if(tier = concat('updated ', mail) AND " + given + ") AS u, count_if(tier = concat('inserted ', mail) AND " + given + ") AS i, " +
			"count_if(tier = concat('again ', mail) AND spent IS NULL) AS g, count_if(tier IS NULL AND spent IS NULL AND tags IS NULL AND `at` IS NULL) AS n FROM {table}")[0]
		if got := (counts{r["u"].(float64), r["i"].(float64), r["g"].(float64), r["n"].(float64)}); got != want {
			t.Errorf("after %s: %+v, want %+v", what, got, want)
		}
	}
	first := a.im.Run.RunID
	a.run("--changes", a.people(300, 310, 2))
	want("the adoption", counts{115, 16, 1, 194})
	a.check("the adoption", 326)
	adopted := a.im.Run.RunID
	a.run("--changes", a.people(1, 20, 7))
	want("changes of the same people", counts{115, 16, 1, 194})
	a.check("changes of the same people", 326)
	a.rollback(adopted)
	want("a rollback", counts{115, 16, 1, 194})
	a.sql("CALL roster.system.rewrite_data_files(table => '{name}', options => map('rewrite-all', 'true'))")
	want("a rewrite", counts{115, 16, 1, 194})
	for i := range 12 { // many small files, so that they are compacted
		a.run("--changes", a.people(310+i, 311+i, 3))
	}
	want("compaction", counts{115, 16, 1, 206})
	a.check("compaction", 338)
	a.run("--full", a.people(0, 299, 4)) // a rewrite of the dataset
	r := a.sql("SELECT count_if(replace(lower(tier), ' ') = concat('updated', trim(lower(mail)))) AS u, count_if(tier IS NULL) AS n FROM {table}")[0]
	if r["u"] != 115.0 || r["n"] != 184.0 {
		t.Errorf("after a full run: %v", r)
	}
	a.rollback(first)
	want("a rollback to the first version", counts{0, 0, 0, 300})
}

// TestSparkReplaces has Spark tag a version, promote a column of Roster, replace the table by one without Roster's columns
// of the origin and with binary keys, and then remove all snapshots and files that it may. Runs go on, Spark reads their
// files, and the tag and the rejects stay.
func TestSparkReplaces(t *testing.T) {
	t.Parallel()
	a := besideSpark(t, 300)
	a.sql("ALTER TABLE {table} CREATE TAG kept")
	a.sql("ALTER TABLE {table} ALTER COLUMN `_roster_file` TYPE bigint")
	file := a.people(300, 310, 2)
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, append(text, "bad@example.com,Bad,C1,1980-01-01,1,many,1,true,2025-01-01T00:00:00Z\n"...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	a.run("--changes", file)
	if r := a.sql("SELECT count(*) AS n, sum(_roster_file) AS f FROM {table}")[0]; r["n"] != 310.0 || r["f"] != 0.0 {
		t.Errorf("after the promotion Spark reads %v", r)
	}
	a.sql("CREATE OR REPLACE TABLE {table} USING iceberg AS SELECT mail, `full name`, `city.code`, born, score, points, big, ok, seen, _roster_id, _roster_row, " +
		"_roster_since, _roster_seen, concat('tier of ', mail) AS tier FROM {table}")
	if n := len(a.members()); n != 310 {
		t.Errorf("%d members after the replacement", n)
	}
	a.run("--changes", a.people(310, 320, 3))
	a.check("the replacement", 320)
	a.sql("CALL roster.system.expire_snapshots(table => '{name}', older_than => TIMESTAMP '2100-01-01 00:00:00', retain_last => 1, clean_expired_metadata => true)")
	sparkPython(t, a.data, a.im.AudienceID, `
table = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, "{table}")
jvm.org.apache.iceberg.spark.actions.SparkActions.get(spark._jsparkSession).deleteOrphanFiles(table).olderThan(4102444800000).execute()`)
	a.run("--full", a.people(0, 305, 4))
	a.check("a full run", 305)
	r := a.sql("SELECT count_if(length(_roster_id) = 16) AS ids, count_if(tier IS NOT NULL) AS tiers FROM {table}")[0]
	if kept := a.sql("SELECT count(*) AS n FROM {table} VERSION AS OF 'kept'")[0]; r["ids"] != 305.0 || r["tiers"] != 305.0 || kept["n"] != 300.0 {
		t.Errorf("Spark reads %v, and %v with the tag", r, kept)
	}
	for _, args := range [][]string{{"check"}, {"rejects", "people", "--run", "2"}} {
		out, err := exec.CommandContext(t.Context(), rostertest.Binary(t), append(args, "--data-dir", a.data)...).Output()
		if err != nil || args[0] == "rejects" && !strings.Contains(string(out), "points") {
			t.Errorf("%s: %v\n%s", args[0], err, out)
		}
	}
}
