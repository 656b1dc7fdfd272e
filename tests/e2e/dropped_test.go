package e2e

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"roster/internal/app"
)

// TestDroppedTables has another program drop the tables of the audiences from the catalog, one with its files. The server
// starts, look-ups and other audiences work, and a full run makes a table anew.
func TestDroppedTables(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("in.csv", "mail,points\nada@example.com,1\nbob@example.com,2\n")
	id, purged := s.submit(submitBody("list", "in.csv")), s.submit(submitBody("purged", "in.csv"))
	s.ingest(id, "")
	s.ingest(purged, "")
	s.stop()
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `DELETE FROM iceberg_tables`); err != nil {
		t.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(s.dir, "lake", "*", purged))
	if err != nil || len(tables) != 1 || os.RemoveAll(tables[0]) != nil {
		t.Fatal(tables, err)
	}

	s.open()
	for _, restarts := range []bool{true, false} { // also after a run that failed
		for _, a := range []string{id, purged} {
			if got := s.lookup("email", "ada@example.com", a); got != "realized" {
				t.Errorf("ada is %q", got)
			}
			s.call("GET", ais+"/"+a+"/members", "").refused(422, "100960-422", "dropped", "full run")
			s.call("GET", entities+"?entityId=ada@example.com&entityIdNS=email"+asked, "").refused(422, "100960-422", "dropped")
		}
		found, err := app.Check(t.Context(), app.Config{DataDir: s.dir})
		if err != nil || len(found.Findings) != 2 || !strings.Contains(found.Findings[0].What, "dropped the table") {
			t.Errorf("check: %+v %v", found.Findings, err)
		}
		if !restarts {
			break
		}
		run := s.call("POST", ais+"/"+id+"/run", `{"differentialIngestion": true}`).ok(200)["runId"].(string)
		if v := s.poll(ais+"/"+id+"/run/"+run, ended); v["status"] != "FAILED" || !strings.Contains(compact(v["error"]), "dropped the table") {
			t.Errorf("a differential run: %s", compact(v))
		}
		s.stop()
		s.open()
	}
	other := s.submit(submitBody("other", "in.csv"))
	for _, a := range []string{id, purged, other} {
		if v := s.ingest(a, `{"differentialIngestion": false}`); v["status"] != "SUCCESS" || compact(v["members"].(map[string]any)["after"]) != "2" {
			t.Errorf("a full run: %s", compact(v))
		}
		if got := s.lookup("email", "bob@example.com", a); got != "realized" {
			t.Errorf("bob is %q", got)
		}
	}
	if found, err := app.Check(t.Context(), app.Config{DataDir: s.dir}); err != nil || len(found.Findings) > 0 {
		t.Errorf("check: %+v %v", found.Findings, err)
	}
}
