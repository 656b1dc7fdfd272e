package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"roster/client"
	"roster/tests/rostertest"
)

// audienceBesideSpark is an audience whose table Spark changes.
type audienceBesideSpark struct {
	t                      *testing.T
	dir, data, place, last string
	im                     rostertest.Imported
}

func besideSpark(t *testing.T, rows int) *audienceBesideSpark {
	t.Helper()
	needSpark(t)
	dir := directory(t)
	a := &audienceBesideSpark{t: t, dir: dir, data: filepath.Join(dir, "data"), place: filepath.Join(dir, "people.csv")}
	a.run("--full", people(t, filepath.Join(dir, "first.csv"), 0, rows, 1))
	return a
}

// run imports a file, as the only one.
func (a *audienceBesideSpark) run(mode, file string) {
	a.t.Helper()
	rostertest.Place(a.t, file, a.place)
	a.im = rostertest.Import(a.t, a.data, a.place, "mail=Email", "--field", "points=long", "--field", "score=number", "--field", "big=long", mode)
	a.last = file
}

// people writes another file of people.
func (a *audienceBesideSpark) people(from, to int, seed uint64) string {
	return people(a.t, filepath.Join(a.dir, fmt.Sprint(from, "-", to, "-", seed, ".csv")), from, to, seed)
}

func (a *audienceBesideSpark) sql(statement string) []sparkRow {
	a.t.Helper()
	return sparkSQL(a.t, a.data, a.im.AudienceID, statement)
}

// members reads the members through Roster, by mail.
func (a *audienceBesideSpark) members() map[string]map[string]any {
	a.t.Helper()
	cmd := exec.CommandContext(context.Background(), rostertest.Binary(a.t), "members", "people", "--data-dir", a.data)
	out, err := cmd.Output()
	if err != nil {
		a.t.Fatalf("%v: %s", err, stderrOf(err))
	}
	got := map[string]map[string]any{}
	for line := range strings.Lines(string(out)) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			a.t.Fatalf("%v\n%s", err, line)
		}
		mail, _ := m["mail"].(string)
		if mail == "" {
			fields, _ := m["fields"].(map[string]any)
			mail, _ = fields["mail"].(string)
		}
		got[mail] = m
	}
	return got
}

func stderrOf(err error) []byte {
	if e, ok := err.(*exec.ExitError); ok {
		return e.Stderr
	}
	return nil
}

// rollback has a server restore the audience as it was after a run.
func (a *audienceBesideSpark) rollback(run string) {
	a.t.Helper()
	url, stop := serveUntil(a.t, a.data)
	defer stop()
	admin, err := client.LoadCredentials(filepath.Join(a.data, "credentials.json"))
	if err != nil {
		a.t.Fatal(err)
	}
	admin.BaseURL = url
	started, err := admin.Rollback(a.t.Context(), a.im.AudienceID, run, client.Rollback{})
	if err != nil {
		a.t.Fatal(err)
	}
	if ended, err := admin.WaitRun(a.t.Context(), a.im.AudienceID, started.RunID, nil); err != nil || ended.Status != "SUCCESS" {
		a.t.Fatal(ended.Status, err)
	}
}

// check compares what Roster and Spark see.
func (a *audienceBesideSpark) check(what string, want int) {
	a.t.Helper()
	if got := a.members(); len(got) != want {
		a.t.Errorf("after %s Roster lists %d members, want %d", what, len(got), want)
	}
	row := a.sql("SELECT count(*) AS n, count(DISTINCT `_roster_id`) AS people FROM {table}")[0]
	if row["n"] != float64(want) || row["people"] != float64(want) {
		a.t.Errorf("after %s Spark sees %v, want %d", what, row, want)
	}
	if int(a.im.Run.Members.After) != want {
		a.t.Errorf("after %s the ledger says %+v, want %d", what, a.im.Run.Members, want)
	}
}

// TestSparkRewrites has Spark rewrite the data files of a table in its own order and with its own names, between runs that change little
// and much.
func TestSparkRewrites(t *testing.T) {
	t.Parallel()
	a := besideSpark(t, 3000)
	a.run("--changes", a.people(2900, 3100, 2))
	for _, codec := range []string{"zstd", "gzip"} {
		a.sql("ALTER TABLE {table} SET TBLPROPERTIES ('write.parquet.compression-codec'='" + codec + "', 'write.parquet.row-group-size-bytes'='65536')")
		a.sql("CALL roster.system.rewrite_data_files(table => '{name}', strategy => 'sort', sort_order => '`city.code` ASC, score DESC', options => map('rewrite-all','true'))")
		a.check("a rewrite with "+codec, 3100)
		a.run("--changes", a.people(3050, 3100, 5))
		a.check("changes", 3100)
	}
	a.run("--full", a.people(0, 3090, 3))
	a.check("a full run", 3090)
}

// TestSparkChangesColumns has Spark add, rename and promote columns.
func TestSparkChangesColumns(t *testing.T) {
	t.Parallel()
	a := besideSpark(t, 1000)
	for _, statement := range []string{
		"ALTER TABLE {table} ADD COLUMN tier string",
		"ALTER TABLE {table} ADD COLUMN tags array<struct<k: string, v: int>>",
		"ALTER TABLE {table} RENAME COLUMN `full name` TO name",
		"ALTER TABLE {table} RENAME COLUMN `_roster_row` TO hash",
		"ALTER TABLE {table} ALTER COLUMN `_roster_file` TYPE bigint",
		"UPDATE {table} SET tier = concat('tier of ', mail), tags = array(named_struct('k', mail, 'v', 1))",
	} {
		a.sql(statement)
	}
	tiers := func(what string, with, without int) {
		t.Helper()
		rows := a.sql("SELECT count_if(tier = concat('tier of ', mail) AND tags[0].k = mail) AS w, count_if(tier IS NULL AND tags IS NULL) AS o FROM {table}")
		if rows[0]["w"] != float64(with) || rows[0]["o"] != float64(without) {
			t.Errorf("after %s: %v, want %d with values and %d without", what, rows, with, without)
		}
	}
	tiers("Spark's update", 1000, 0)
	a.run("--changes", a.people(900, 1100, 2))
	a.check("changes", 1100)
	tiers("changes", 1000, 100)
	a.run("--full", a.people(0, 1100, 3))
	a.check("a full run", 1100)
	tiers("a full run", 1000, 100)
}

// TestSparkExpiresAfterRollback has Spark expire the snapshots of a table after a rollback over a rewrite: the files of the restored version
// must stay.
func TestSparkExpiresAfterRollback(t *testing.T) {
	t.Parallel()
	a := besideSpark(t, 1000)
	first := a.im.Run.RunID
	a.run("--full", a.people(500, 2000, 2))
	a.rollback(first)
	// Trino and Flink expire as this call does: it compares snapshots with their ancestors. Spark's procedure looks for files that no snapshot has.
	sparkPython(t, a.data, a.im.AudienceID, `
table = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, "{table}")
table.expireSnapshots().expireOlderThan(4102444800000).retainLast(1).commit()`)
	for range 2 {
		a.sql("CALL roster.system.expire_snapshots(table => '{name}', older_than => TIMESTAMP '2100-01-01 00:00:00', retain_last => 1)")
	}
	if got := len(a.members()); got != 1000 {
		t.Errorf("Roster lists %d members", got)
	}
	if row := a.sql("SELECT count(*) AS n, count(DISTINCT mail) AS people FROM {table}")[0]; row["n"] != 1000.0 || row["people"] != 1000.0 {
		t.Errorf("Spark reads %v", row)
	}
	a.run("--changes", a.people(900, 1100, 3))
	a.check("changes", 1100)
}

// TestSparkUpgrades has Spark upgrade a table to format version 3 and delete rows there.
func TestSparkUpgrades(t *testing.T) {
	t.Parallel()
	a := besideSpark(t, 1000)
	a.run("--changes", a.people(950, 1000, 4))
	a.sql("ALTER TABLE {table} SET TBLPROPERTIES ('format-version'='3', 'write.update.mode'='merge-on-read')")
	a.sql("UPDATE {table} SET points = points + 1 WHERE mail LIKE 'person1%'")
	if got := len(a.members()); got != 1000 {
		t.Errorf("Roster lists %d members", got)
	}
	a.run("--changes", a.people(900, 1100, 3))
	a.check("changes", 1100)
	a.run("--full", a.people(0, 1090, 3))
	a.check("a full run", 1090)
}
