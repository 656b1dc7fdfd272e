package e2e

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"roster/client"
	"roster/internal/app"
)

func TestRejectsCommand(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("in.csv", "mail,phone,points,day\nada@x.org,+1,x,\nbob@x.org,+2,2,\n,+3,3,\ncy@x.org,+4,4,never\n"+strings.Repeat("dan@x.org,+5,5,\n", 40))
	id := s.submit(membersBody("list", "in.csv", true))
	first := s.ingest(id, fullRun)["runId"].(string)
	s.land("in.csv", "mail,phone,points,day\nada@x.org,+1,1,\n")
	s.ingest(id, `{"dataFilterStartTime":0,"differentialIngestion":false,"force":true}`)
	s.call("POST", ais+"/"+id+"/runs/"+first+"/rollback", "").ok(200)

	list := func(args ...string) string {
		t.Helper()
		code, out, log := finish(t, command(t, append([]string{"rejects", "list"}, args...)...))
		if code != 0 {
			t.Fatalf("%v: exit %d %s", args, code, log)
		}
		return out
	}
	want := string(s.call("GET", ais+"/"+id+"/runs/"+first+"/rejects?format=csv", "").body)
	if rows, err := csv.NewReader(strings.NewReader(want)).ReadAll(); err != nil || len(rows) != 4 || rows[1][2] != "2" || rows[1][5] != "points" {
		t.Fatalf("%q, %v", rows, err)
	}
	for _, where := range [][]string{{"--data-dir", s.dir}, {"--server", s.creds.BaseURL, "--credentials", app.CredentialsPath(s.dir)}} {
		for _, run := range []string{first, "1"} {
			if got := list(append(where, "--run", run)...); got != want {
				t.Errorf("%v, run %s:\n%swant\n%s", where, run, got, want)
			}
		}
	}
	var codes []string
	for line := range strings.Lines(list("--data-dir", s.dir, "--run", "1", "--json")) {
		var r client.RejectedRow
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		codes = append(codes, fmt.Sprint(r.Line, r.Code))
	}
	if got := strings.Join(codes, " "); got != "2TYPE 4IDENTITY 5TYPE" {
		t.Errorf("as JSON: %s", got)
	}
	// The last run that read files is the second one, without rejects. The later rollback read none.
	for _, args := range [][]string{{"--data-dir", s.dir}, {"--data-dir", s.dir, "--run", "2", "--csv"}} {
		if got := list(args...); strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, "file,") {
			t.Errorf("%v: %s", args, got)
		}
	}
	s.rejectsRefused()
}

// rejectsRefused requests invalid lists of rejects.
func (s *server) rejectsRefused() {
	t := s.t
	t.Helper()
	s.submit(membersBody("never run", "in.csv", true))
	for args, want := range map[string]struct {
		code    int
		mention string
	}{
		"nobody":                   {2, `no audience "nobody"`},
		"never run":                {2, "has read files"},
		"list;--run;9":             {2, "--run 9"},
		"list;--run;0":             {2, "counted from 1"},
		"list;--json;--csv":        {2, "exclude each other"},
		"list;--server;http://x":   {2, "--credentials"},
		"list;--run;x":             {3, "run"},
		"list;extra":               {2, "arg"},
		"list;--run;" + absentUUID: {3, absentUUID},
	} {
		args := append([]string{"rejects"}, strings.Split(args, ";")...)
		if !strings.Contains(strings.Join(args, " "), "--server") {
			args = append(args, "--data-dir", s.dir)
		}
		code, out, log := finish(t, command(t, args...))
		if code != want.code || out != "" || !strings.Contains(log, want.mention) {
			t.Errorf("%v: exit %d, want %d and %q: %s%s", args, code, want.code, want.mention, out, log)
		}
	}
}

const absentUUID = "0b6f3a57-1111-4222-8333-444455556666"
