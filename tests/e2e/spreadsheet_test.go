package e2e

import (
	"encoding/csv"
	"strings"
	"testing"
)

// TestSpreadsheet exports spreadsheet lists from one audience and imports them into another, by a run of a file and by
// a resubmit. The exact values come back.
func TestSpreadsheet(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("in.csv", "mail,phone,points,day\n=cmd@x.org,+49301,-5,2026-02-01\n'+bob@x.org,'=2+3,7,\n")
	id := s.submit(membersBody("list", "in.csv", true))
	s.ingest(id, fullRun)
	exact := func(id string) string {
		return string(s.call("GET", ais+"/"+id+"/members?format=csv&fields=mail,phone,points,day", "").body)
	}
	want := exact(id)
	if !strings.Contains(want, "\n=cmd@x.org,+49301,-5,") || strings.Contains(want, "_roster_escaped") {
		t.Fatalf("the exact list: %s", want)
	}
	where := []string{"--data-dir", s.dir}
	code, list, log := finish(t, command(t, append([]string{"members", "list", "--format", "csv", "--escape", "spreadsheet"}, where...)...))
	if code != 0 || !strings.Contains(list, `"'=cmd@x.org","'+49301","'-5",`) || !strings.Contains(list, `"''+bob@x.org","''=2+3",7,`) {
		t.Fatalf("for a spreadsheet: exit %d %s %s", code, list, log)
	}
	s.land("saved.csv", list)
	again := s.submit(membersBody("again", "saved.csv", true))
	s.ingest(again, fullRun)
	people := func(list string) string { // without times and positions
		var all []string
		rows, err := csv.NewReader(strings.NewReader(list)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			all = append(all, strings.Join(r[:4], ","))
		}
		return strings.Join(all, "\n")
	}
	if got := people(exact(again)); got != people(want) {
		t.Errorf("imported again:\n%s\nwant\n%s", got, people(want))
	}
	s.resubmitEscaped()
	for args, mention := range map[string]string{
		"members;list;--escape;spreadsheet":               "works only with CSV",
		"members;list;--format;csv;--escape;excel":        "--escape must be",
		"rejects;list;--json;--escape;spreadsheet":        "works only with CSV",
		"import;in.csv;--name;x;--identity;m=email;--x":   "unknown flag",
		"rejects;list;--escape;=":                         "--escape must be",
		"members;list;--format;ndjson;--escape;spread":    "--escape must be",
		"members;list;--format;csv;--escape;spreadsheet;": "arg",
	} {
		if code, _, log := finish(t, command(t, append(strings.Split(args, ";"), where...)...)); code != 2 || !strings.Contains(log, mention) {
			t.Errorf("%s: exit %d %s", args, code, log)
		}
	}
	for _, query := range []string{"escape=spreadsheet", "format=csv&escape=x", "format=csv&escape=", "format=csv&escape=none&escape=spreadsheet"} {
		s.call("GET", ais+"/"+id+"/members?"+query, "").refused(400, "100910-400", "escape")
	}
}

// resubmitEscaped corrects rejects in a spreadsheet list.
func (s *server) resubmitEscaped() {
	t := s.t
	t.Helper()
	s.land("bad.csv", "mail,phone,points,day\nada@x.org,+1,x,\n")
	id := s.submit(membersBody("corrected", "bad.csv", true))
	run := s.ingest(id, `{"dataFilterStartTime":0,"differentialIngestion":false,"force":true}`)["runId"].(string)
	rejects := string(s.call("GET", ais+"/"+id+"/runs/"+run+"/rejects?format=csv&escape=spreadsheet", "").body)
	if header, _, _ := strings.Cut(rejects, "\n"); !strings.HasSuffix(header, ",raw,_roster_escaped") {
		t.Errorf("rejects: %s", rejects)
	}
	for query, phone := range map[string]string{"?escape=spreadsheet": "+49302", "": "'+49302"} {
		started := s.call("POST", ais+"/"+id+"/runs/"+run+"/rejects/resubmit"+query, "mail,phone,points,day\nada@x.org,'+49302,1,\n").ok(200)
		s.poll(ais+"/"+id+"/run/"+started["runId"].(string), ended)
		if got := s.call("GET", ais+"/"+id+"/members", "").lines()["ada@x.org"]["phone"]; got != phone {
			t.Errorf("resubmitted with %q: the phone is %v", query, got)
		}
	}
}
