package interop

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"roster/client"
	"roster/tests/rostertest"
)

// beside lists the files that Roster keeps beside the audience's table, without those of checksums.
func (a *audienceBesideSpark) beside() (list []string) {
	a.t.Helper()
	dirs, err := filepath.Glob(filepath.Join(a.data, "lake", "*", a.im.AudienceID+"-files"))
	if err != nil || len(dirs) != 1 {
		a.t.Fatal(dirs, err)
	}
	err = filepath.WalkDir(dirs[0], func(p string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !strings.HasSuffix(p, ".sum") {
			list = append(list, p)
		}
		return err
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return list
}

// removeOrphans has Spark remove all files that it takes for orphans, whatever their age. The procedure refuses files of the last day.
func (a *audienceBesideSpark) removeOrphans() (removed []string) {
	a.t.Helper()
	answer := sparkPython(a.t, a.data, a.im.AudienceID, `
table = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, "{table}")
action = jvm.org.apache.iceberg.spark.actions.SparkActions.get(spark._jsparkSession).deleteOrphanFiles(table)
result = [str(f) for f in action.olderThan(4102444800000).execute().orphanFileLocations()]`)
	if err := json.Unmarshal(answer, &removed); err != nil {
		a.t.Fatalf("%v\n%s", err, answer)
	}
	return removed
}

// TestSparkMaintains has Spark rewrite files, expire all snapshots but the last one and remove orphan files, of a table that has
// rejects, files of Spark and their sorted copies. Later runs must go on.
func TestSparkMaintains(t *testing.T) {
	t.Parallel()
	a := besideSpark(t, 1000)
	wrong := filepath.Join(a.dir, "wrong.csv")
	if err := os.WriteFile(wrong, []byte("mail,full name,city.code,born,score,points,big,ok,seen\nwrong@example.com,W,C1,1990-01-01,1,many,1,true,2025-01-01T00:00:00Z\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a.run("--changes", wrong, "--max-rejected", "100")
	rejected := a.im.Run.RunID
	a.sql("UPDATE {table} SET `full name` = 'Changed' WHERE mail LIKE 'person1%'")
	a.run("--changes", a.people(1000, 1034, 2))
	a.check("Spark's update", 1034)
	was := a.beside()
	for _, folder := range []string{"/roster/", "/sorted/"} {
		if !strings.Contains(strings.Join(was, "\n"), folder) {
			t.Errorf("no files in %s among %q", folder, was)
		}
	}
	survive := func(what string) {
		t.Helper()
		for _, p := range was {
			if _, err := os.Stat(p); err != nil {
				t.Errorf("after %s: %v", what, err)
			}
		}
		a.check(what, 1034)
		out, err := exec.CommandContext(t.Context(), rostertest.Binary(t), "rejects", "people", "--run", rejected, "--data-dir", a.data).Output()
		if err != nil || !strings.Contains(string(out), "points") {
			t.Errorf("rejects after %s: %v %s%s", what, err, out, stderrOf(err))
		}
	}
	for _, p := range a.removeOrphans() {
		if !strings.Contains(p, "/metadata/") && !strings.HasSuffix(p, ".sum") {
			t.Errorf("Spark took %s for an orphan", p)
		}
	}
	survive("the removal of orphans")
	a.sql("CALL roster.system.expire_snapshots(table => '{name}', older_than => TIMESTAMP '2100-01-01 00:00:00', retain_last => 1)")
	a.removeOrphans()
	survive("the expiry of snapshots")
	a.sql("CALL roster.system.rewrite_data_files(table => '{name}', options => map('rewrite-all', 'true'))")
	a.sql("CALL roster.system.rewrite_manifests('{name}')")
	a.removeOrphans()
	a.run("--changes", a.people(1034, 1040, 2))
	a.check("changes", 1040)
	a.removeOrphans()
	a.check("the removal of orphans of a rewritten table", 1040)
	first := a.im.Run.RunID
	a.run("--full", a.people(0, 1030, 3))
	a.check("a full run", 1030)
	a.rollback(first)
	if got := len(a.members()); got != 1040 {
		t.Errorf("%d members after a rollback", got)
	}
}

// TestSparkDescribes checks what Spark finds out about a table, also after the audience was renamed.
func TestSparkDescribes(t *testing.T) {
	t.Parallel()
	a := besideSpark(t, 100)
	told := func() map[string]string {
		told := map[string]string{}
		for _, row := range a.sql("DESCRIBE TABLE EXTENDED {table}") {
			told[fmt.Sprint(row["col_name"])] = fmt.Sprint(row["data_type"])
		}
		return told
	}
	if got := told(); got["Comment"] != "Members of the audience people" || !strings.Contains(got["Table Properties"], "sort-order=_roster_id ASC NULLS FIRST") || !strings.Contains(got["Table Properties"], "identifier-fields=[_roster_id]") {
		t.Errorf("Spark describes %v", got)
	}
	if rows := a.sql("SELECT count(*) AS n, count_if(sort_order_id = 1) AS sorted, count_if(readable_metrics.`city.code`.lower_bound LIKE 'C%') AS bounded FROM {table}.files"); rows[0]["n"] != rows[0]["sorted"] || rows[0]["n"] != rows[0]["bounded"] {
		t.Errorf("Spark sees %v", rows)
	}
	url, stop := serveUntil(t, a.data)
	admin, err := client.LoadCredentials(filepath.Join(a.data, "credentials.json"))
	if err != nil {
		t.Fatal(err)
	}
	admin.BaseURL = url
	aud, err := admin.UPSAudience(t.Context(), a.im.AudienceID)
	if err == nil {
		aud.Name = "customers"
		_, err = admin.PutUPSAudience(t.Context(), aud)
	}
	stop()
	if err != nil {
		t.Fatal(err)
	}
	if got := told(); got["Comment"] != "Members of the audience customers" || !strings.Contains(got["Table Properties"], "roster.audience=customers") {
		t.Errorf("Spark describes %v", got)
	}
}
