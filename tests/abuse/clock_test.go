package abuse

import (
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// clockFile writes the last time that the server has recorded.
func (s *server) clockFile(at time.Time) {
	s.t.Helper()
	text, err := json.Marshal(map[string]time.Time{"seen": at})
	if err == nil {
		err = os.WriteFile(filepath.Join(s.dir, "clock"), text, 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestClockPutBackByAYear starts on the data of a server whose clock was a year ahead and which was killed then: work,
// waits and schedules of that time. With the right clock everything continues at once.
func TestClockPutBackByAYear(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.put("people.csv", []byte("email\na@example.com\n"))
	conn := s.connect()
	aud := s.submit(conn, "people", "people.csv", "file", mailOnly)
	if r := s.run(aud, `{}`); r["status"] != "SUCCESS" {
		t.Fatalf("run: %v", r)
	}
	s.call("PATCH", ais+"/"+aud, `{"schedule":{"cron":"0 3 * * *"}}`)
	key := []string{"Idempotency-Key", "key-1"}
	first := s.call("POST", ais+"/"+aud+"/run", `{}`, key...).json(t, 200)["runId"].(string)
	s.poll(ais + "/" + aud + "/run/" + first)
	running := s.call("POST", ais+"/"+aud+"/run", `{}`).json(t, 200)["runId"].(string)
	s.kill()
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "roster.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{ // the clock went ahead after the first run
		`UPDATE runs SET created_at = created_at + $year, lease_owner = 'dead', lease_until = lease_until + $year WHERE seq > 1`,
		`UPDATE audiences SET maintained_at = created_at + $year, next_run_at = next_run_at + $year WHERE next_run_at > 0`,
		`UPDATE answers SET begun_at = begun_at + $year`,
		`UPDATE river_job SET state = 'available', scheduled_at = strftime('%Y-%m-%d %H:%M:%f', 'now', '+1 year') WHERE queue = 'run' AND state <> 'completed'`,
		`INSERT OR REPLACE INTO river_leader (elected_at, expires_at, leader_id, name) VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), strftime('%Y-%m-%d %H:%M:%f', 'now', '+1 year'), 'gone', 'default')`,
	} {
		if _, err := db.Exec(strings.ReplaceAll(text, "$year", "31536000000000")); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s.clockFile(time.Now().AddDate(1, 0, 0))
	s.open()
	if r := s.poll(ais + "/" + aud + "/run/" + running); r["status"] != "SUCCESS" {
		t.Errorf("the run that was cut off: %v", r)
	}
	if again := s.call("POST", ais+"/"+aud+"/run", `{}`, key...).json(t, 200)["runId"]; again != first {
		t.Errorf("the repeated request began run %v, not %s", again, first)
	}
	if r := s.run(aud, `{}`); r["status"] != "SUCCESS" {
		t.Errorf("another run: %v", r)
	}
	next, _ := s.call("GET", ais+"/"+aud, "").json(t, 200)["nextRunAt"].(float64)
	if wait := time.Until(time.Unix(int64(next), 0)); wait <= 0 || wait > 25*time.Hour {
		t.Errorf("the schedule waits for %v", wait)
	}
	if !strings.Contains(s.log.tail(1<<20), "the clock was put back") {
		t.Error("the log says nothing of the clock")
	}
}

// TestClockAhead starts a server whose clock is a year ahead of the last recorded time. The server works, reports the
// difference, and removes nothing.
func TestClockAhead(t *testing.T) {
	t.Parallel()
	s := used(t)
	s.clockFile(time.Now().AddDate(-1, 0, 0))
	s.open()
	defer s.stop()
	if !strings.Contains(s.log.tail(1<<20), "the clock is far ahead") {
		t.Error("the log says nothing of the clock")
	}
	if a := s.call("GET", "/data/core/ups/access/entities?schema.name=_xdm.context.profile&entityIdNS=email&entityId=member1@example.com", ""); a.status != 200 {
		t.Errorf("a look-up: %d %s", a.status, a.body)
	}
	aud := s.submit(s.connect(), "later", "bystanders.csv", "file", mailOnly)
	if r := s.run(aud, `{}`); r["status"] != "SUCCESS" {
		t.Errorf("a run: %v", r)
	}
}
