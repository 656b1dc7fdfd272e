package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"roster/internal/app"
)

const fullRun = `{"dataFilterStartTime":0,"differentialIngestion":false}`

// membersBody submits an audience whose members have two identities.
func membersBody(name, file string, profileIngestion bool) string {
	return compact(map[string]any{
		"name": name, "originName": "CUSTOM_UPLOAD", "ttlInDays": 30, "profileIngestion": profileIngestion,
		"fields": []any{map[string]any{"name": "mail", "type": "string", "identityNs": "email"}, map[string]any{"name": "phone", "type": "string", "identityNs": "phone"},
			map[string]any{"name": "points", "type": "long"}, map[string]any{"name": "day", "type": "date"}},
		"sourceSpec": map[string]any{"path": file, "type": "file", "sourceType": "Cloud Storage", "cloudType": "DLZ"},
	})
}

// lines decodes NDJSON into members by mail.
func (a answer) lines() map[string]map[string]any {
	a.t.Helper()
	if a.status != 200 || a.header.Get("Content-Type") != "application/x-ndjson" {
		a.t.Fatalf("%s: %d %v %s", a.call, a.status, a.header, a.body)
	}
	out := map[string]map[string]any{}
	for in := bufio.NewScanner(bytes.NewReader(a.body)); in.Scan(); {
		var v map[string]any
		if err := json.Unmarshal(in.Bytes(), &v); err != nil {
			a.t.Fatalf("%s: %v: %s", a.call, err, in.Text())
		}
		out[v["mail"].(string)] = v
	}
	return out
}

func names(m map[string]map[string]any) string {
	var list []string
	for name := range m {
		list = append(list, name)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func TestMembers(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("in.csv", "mail,phone,points,day\nada@x.org,+1,9007199254740993,2026-02-01\nbob@x.org,+2,,\n\"c,d@x.org\",+3,3,2026-02-03\n")
	id := s.submit(membersBody("list", "in.csv", true))
	list := ais + "/" + id + "/members"
	if got := s.call("GET", list, ""); got.status != 200 || len(got.body) != 0 {
		t.Errorf("before any run: %d %s", got.status, got.body)
	}
	first := s.ingest(id, fullRun)
	all := s.call("GET", list, "").lines()
	if names(all) != "ada@x.org bob@x.org c,d@x.org" {
		t.Fatalf("%v", all)
	}
	ada, since := all["ada@x.org"], time.Unix(int64(first["createdAt"].(float64)), 0).UTC()
	for name, want := range map[string]any{"phone": "+1", "day": "2026-02-01", "_roster_runId": first["runId"], "_roster_file": "in.csv", "_roster_line": 2.0} {
		if ada[name] != want {
			t.Errorf("%s is %v, want %v", name, ada[name], want)
		}
	}
	if all["bob@x.org"]["points"] != nil || all["c,d@x.org"]["_roster_line"] != 4.0 || !bytes.Contains(s.call("GET", list, "").body, []byte(`"points":9007199254740993,`)) {
		t.Errorf("%v", all)
	}
	for name, want := range map[string]time.Time{"_roster_since": since, "_roster_seen": since, "_roster_expiresAt": since.AddDate(0, 0, 30)} {
		if at, err := time.Parse(time.RFC3339Nano, ada[name].(string)); err != nil || at.Truncate(time.Second) != want {
			t.Errorf("%s is %v, want %v", name, ada[name], want)
		}
	}
	table := s.callWith("GET", list+"?fields=POINTS,mail", "", map[string]string{"Accept": "text/csv"})
	if head, rest, _ := strings.Cut(string(table.body), "\n"); !strings.HasPrefix(head, "points,mail,_roster_since,") || !strings.Contains(rest, `3,"c,d@x.org",`) || strings.Count(rest, "\n") != 3 {
		t.Errorf("%s", table.body)
	}
	s.membersRefused(id)
	s.pagesStay(id, first["runId"].(string))
}

// membersRefused requests invalid lists.
func (s *server) membersRefused(id string) {
	s.t.Helper()
	list := ais + "/" + id + "/members"
	absent := "0b6f3a57-1111-4222-8333-444455556666"
	s.call("GET", list+"?fields=nothing", "").refused(400, "100910-400", "nothing")
	s.call("GET", list+"?fields=mail,Mail", "").refused(400, "100910-400", "twice")
	s.call("GET", list+"?cursor=AAAA", "").refused(400, "100910-400", "cursor")
	s.call("GET", list+"?asOf="+absent, "").refused(404, "100940-404", absent)
	s.call("GET", list+"?asOf=x", "").refused(404, "100940-404")
	s.call("GET", ais+"/"+absent+"/members", "").refused(404, "100940-404")
	s.call("GET", list+"/nowhere/ada@x.org", "").refused(400, "100910-400", "nowhere")
	s.call("GET", list+"/email/nobody@x.org", "").refused(404, "100940-404")
	s.call("GET", list+"/email/%20", "").refused(400, "100910-400", "identity")
}

// pagesStay reads pages while the audience changes.
func (s *server) pagesStay(id, first string) {
	t := s.t
	t.Helper()
	list := ais + "/" + id + "/members"
	one := s.call("GET", list+"?limit=2", "")
	cursor := one.header.Get("x-next-cursor")
	if len(one.lines()) != 2 || cursor == "" {
		t.Fatalf("%v %s", one.header, one.body)
	}
	s.call("GET", list+"?limit=2&cursor="+cursor[:len(cursor)-2]+"AA", "").refused(400, "100910-400", "cursor")
	other := s.submit(membersBody("other", "in.csv", true))
	s.call("GET", ais+"/"+other+"/members?cursor="+cursor, "").refused(400, "100910-400", "cursor")

	s.land("in.csv", "mail,phone,points,day\nada@x.org,+1,2,\n\"c,d@x.org\",+3,3,2026-02-03\neve@x.org,+5,5,\n")
	second := s.ingest(id, fullRun)
	two := s.call("GET", list+"?limit=2&cursor="+cursor, "")
	both := one.lines()
	for name, v := range two.lines() {
		both[name] = v
	}
	if names(both) != "ada@x.org bob@x.org c,d@x.org" || two.header.Get("x-next-cursor") != "" {
		t.Errorf("%v %s", two.header, names(both))
	}
	if then := s.call("GET", list+"?asOf="+first, "").lines(); names(then) != "ada@x.org bob@x.org c,d@x.org" || then["ada@x.org"]["day"] != "2026-02-01" {
		t.Errorf("as of the first run: %v", then)
	}
	now := s.call("GET", list, "").lines()
	if names(now) != "ada@x.org c,d@x.org eve@x.org" || now["ada@x.org"]["_roster_runId"] != second["runId"] {
		t.Errorf("%v", now)
	}
	if exact := s.call("GET", list+"?limit=3", ""); len(exact.lines()) != 3 || exact.header.Get("x-next-cursor") != "" {
		t.Errorf("a page that is the whole list: %v %s", exact.header, exact.body)
	}
	s.land("in.csv", "mail,phone,points,day\n,,,\n")
	failed := s.ingest(id, fullRun)
	s.call("GET", list+"?asOf="+failed["runId"].(string), "").refused(422, "100960-422", "there are no members")
}

// inRounds creates an audience by three runs, so that its members are in several data files with deleted rows. The
// first run imports a number of people; each of the others imports every seventh of them. points returns the points of
// a person in a run.
func (s *server) inRounds(people int, points func(round, person int) int) (id string) {
	s.t.Helper()
	for round := range 3 {
		var file strings.Builder
		file.WriteString("mail,phone,points,day\n")
		for i := range people {
			if round == 0 || i%7 == round {
				fmt.Fprintf(&file, "m%d@x.org,,%d,\n", i+round, points(round, i))
			}
		}
		s.land("in.csv", file.String())
		if id == "" {
			id = s.submit(membersBody("list", "in.csv", true))
		}
		s.ingest(id, `{"dataFilterStartTime":0,"differentialIngestion":true}`)
	}
	return id
}

// TestMembersPages reads pages of many sizes over several data files with deleted rows, and compares them with the
// whole list. A compaction may reorder the members between two lists.
func TestMembersPages(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.inRounds(60, func(round, _ int) int { return round })
	list := ais + "/" + id + "/members?fields=mail"
	whole := linesOf(s.call("GET", list, "").body)
	for _, limit := range []int{1, 2, 7, 59, 60, 61, 10_000} {
		var pages []byte
		for cursor := ""; ; {
			page := s.call("GET", fmt.Sprintf("%s&limit=%d&cursor=%s", list, limit, url.QueryEscape(cursor)), "")
			pages = append(pages, page.body...)
			if cursor = page.header.Get("x-next-cursor"); cursor == "" {
				break
			}
			if n := bytes.Count(page.body, []byte("\n")); n != limit {
				t.Fatalf("a page of %d has %d members", limit, n)
			}
		}
		if !slices.Equal(linesOf(pages), whole) {
			t.Errorf("pages of %d differ from the list", limit)
		}
	}
	packed := s.callWith("GET", list, "", map[string]string{"Accept-Encoding": "gzip"})
	in, err := gzip.NewReader(bytes.NewReader(packed.body))
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if _, err := text.ReadFrom(in); err != nil || !slices.Equal(linesOf(text.Bytes()), whole) {
		t.Errorf("by gzip: %d bytes, %v", text.Len(), err)
	}
}

func TestMemberProvenance(t *testing.T) {
	t.Parallel()
	s := start(t)
	const head, ada, bob = "mail,phone,points,day\n", "a/da@x.org,+1,1,\n", "bob@x.org,+2,2,\n"
	s.land("in.csv", head+ada+bob)
	id, plain := s.submit(membersBody("list", "in.csv", true)), s.submit(membersBody("plain", "in.csv", false))
	run := s.ingest(id, fullRun)
	s.ingest(plain, fullRun)
	member := func(audience, path string) answer { return s.call("GET", ais+"/"+audience+"/members/"+path, "") }

	got := member(id, "email/%20A%2FDA@x.org").ok(200)
	version := got["file"].(map[string]any)["version"].(string)
	created := run["createdAt"].(float64)
	sameJSON(t, "ada", got, fmt.Sprintf(`{"audienceId": %q, "identity": {"id": "a/da@x.org", "namespace": "Email"}, "status": "realized", "since": %.0f,
		"lastQualificationTime": %.0f, "validUntil": %.0f, "run": {"runId": %q, "createdAt": %.0f}, "file": {"path": "in.csv", "version": %q}, "line": 2}`,
		id, created, created, created+30*86400, run["runId"], created, version))
	if got := member(id, "phone/+2").ok(200); got["line"] != 3.0 || got["identity"].(map[string]any)["id"] != "+2" {
		t.Errorf("by the second identity: %v", got)
	}
	if got := member(plain, "EMAIL/bob@x.org").ok(200); got["line"] != 3.0 {
		t.Errorf("without profile ingestion: %v", got)
	}
	member(plain, "phone/+2").refused(404, "100940-404")

	s.clock.advance(24 * time.Hour)
	s.token = s.newToken()
	s.land("in.csv", head+ada)
	again := s.ingest(id, fullRun)
	if got := member(id, "email/a%2Fda@x.org").ok(200); got["run"].(map[string]any)["runId"] != again["runId"] || got["since"] != created || got["lastQualificationTime"] != again["createdAt"] {
		t.Errorf("brought again: %v", got)
	}
	for _, path := range []string{"email/bob@x.org", "phone/+2"} {
		got := member(id, path).ok(200)
		if got["status"] != "exited" || got["validUntil"] != again["createdAt"] || got["since"] != created || got["run"] != nil || got["file"] != nil || got["line"] != nil {
			t.Errorf("%s left: %v", path, got)
		}
	}
	s.clock.advance(30*24*time.Hour + time.Minute)
	s.token = s.newToken()
	member(id, "email/bob@x.org").refused(404, "100940-404")
	if got := member(id, "email/a%2Fda@x.org").ok(200); got["status"] != "exited" || got["validUntil"] != again["createdAt"].(float64)+30*86400 || got["run"] != nil {
		t.Errorf("expired: %v", got)
	}
	if left := s.call("GET", ais+"/"+id+"/members", ""); left.status != 200 || len(left.body) != 0 {
		t.Errorf("expired members are listed: %s", left.body)
	}
	if then := s.call("GET", ais+"/"+id+"/members?asOf="+again["runId"].(string), "").lines(); len(then) != 1 {
		t.Errorf("as of a run whose members have expired: %v", then)
	}
}

func TestMembersCommand(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("in.csv", "mail,phone,points,day\nada@x.org,+1,1,\nbob@x.org,+2,2,\n")
	id := s.submit(membersBody("list", "in.csv", true))
	run := s.ingest(id, fullRun)["runId"].(string)
	want := string(s.call("GET", ais+"/"+id+"/members?format=csv&fields=mail", "").body)
	credentials := app.CredentialsPath(s.dir)
	for _, where := range [][]string{{"--data-dir", s.dir}, {"--server", s.creds.BaseURL, "--credentials", credentials}} {
		code, out, log := finish(t, command(t, append([]string{"members", "list", "--format", "csv", "--fields", "mail", "--as-of", run}, where...)...))
		if code != 0 || out != want {
			t.Errorf("%v: exit %d\n%s%s\nwant\n%s", where, code, out, log, want)
		}
	}
	for want, args := range map[int][]string{2: {"members", "nobody"}, 3: {"members", "list", "--fields", "nothing"}} {
		if code, out, _ := finish(t, command(t, append(args, "--data-dir", s.dir)...)); code != want || out != "" {
			t.Errorf("%v: exit %d, %s", args, code, out)
		}
	}
}
