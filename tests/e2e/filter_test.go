package e2e

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"roster/internal/app"
)

// TestMemberFilters lists members by the values of fields of every type. Meaningless filters are refused.
func TestMemberFilters(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("in.csv", `mail,phone,Tier,points,rank,score,day,at,vip,a>b
ada@x.org,+1,gold,9007199254740993,1,1.5,2026-02-01,2026-02-01T10:00:00Z,true,x
Bob@X.org,+2,Gold,2,2,-0.25,2026-02-02,2026-02-01T12:00:00+02:00,false,
cyd@y.org,,,,,,,,,
dee@y.org,+4,null,-3,3,1e3,2025-12-31,2026-02-01T10:00:00.000001Z,true,"q""q"
eve@y.org,+5,"g""old ",10,4,0,2026-02-03,2027-01-01T00:00:00Z,false,y
`)
	typed := func(name, kind string) string { return fmt.Sprintf(`{"name": %q, "type": %q}`, name, kind) }
	id := s.submit(`{"name": "list", "originName": "CUSTOM_UPLOAD", "sourceSpec": {"path": "in.csv", "type": "file", "cloudType": "DLZ"}, "fields": [
		{"name": "mail", "type": "string", "identityNs": "email"}, {"name": "phone", "type": "string", "identityNs": "phone"}, ` + strings.Join([]string{
		typed("Tier", "string"), typed("points", "long"), typed("rank", "integer"), typed("score", "number"), typed("day", "date"), typed("at", "datetime"), typed("vip", "boolean"),
		typed("a>b", "string")}, ",") + `]}`)
	if run := s.ingest(id, fullRun); run["status"] != "SUCCESS" {
		t.Fatal(run)
	}
	list := ais + "/" + id + "/members?fields=mail&"
	const ada, bob, cyd, dee, eve = "ada@x.org", "Bob@X.org", "cyd@y.org", "dee@y.org", "eve@y.org"
	for _, c := range []struct{ filters, want string }{
		{`tier==gold`, ada}, {`TIER == gold `, ada}, {`tier=="gold"`, ada}, {`tier!=gold`, bob + " " + cyd + " " + dee + " " + eve}, {`tier==nobody`, ""},
		{`tier=contains"g"`, ada + " " + eve}, {`tier=containsold`, bob + " " + ada + " " + eve}, {`tier!=containsold`, cyd + " " + dee},
		{`tier==null`, cyd}, {`tier!=null`, bob + " " + ada + " " + dee + " " + eve}, {`tier=="null"`, dee}, {`tier=="g"old "`, eve}, {`tier==""`, ""}, {`tier>=g`, ada + " " + dee + " " + eve}, {`tier<a`, bob},
		{`points==9007199254740993`, ada}, {`points==9007199254740992`, ""}, {`points<3`, bob + " " + dee}, {`points>=10`, ada + " " + eve}, {`points!=2`, ada + " " + cyd + " " + dee + " " + eve},
		{`points==null`, cyd}, {`rank>2`, dee + " " + eve}, {`rank<=3000000000`, bob + " " + ada + " " + dee + " " + eve},
		{`score==1.50`, ada}, {`score>=1e3`, dee}, {`score<0`, bob}, {`score==-0`, eve}, {`score!=0`, bob + " " + ada + " " + cyd + " " + dee},
		{`day>2026-02-01`, bob + " " + eve}, {`day==2026-02-01`, ada}, {`day<2026-01-01`, dee},
		{`at==2026-02-01T10:00:00Z`, bob + " " + ada}, {`at==2026-02-01T11:00:00+01:00`, bob + " " + ada}, {`at>2026-02-01T10:00:00Z`, dee + " " + eve}, {`at==2026-02-01T10:00:00.000001Z`, dee},
		{`vip==true`, ada + " " + dee}, {`vip!=true`, bob + " " + cyd + " " + eve}, {`vip==FALSE`, bob + " " + eve}, {`vip==null`, cyd},
		{`mail==ADA@x.org`, ada}, {`mail==bob@x.org`, bob}, {"mail==\u200bbob@x.org", bob}, {`mail=contains@Y.ORG`, cyd + " " + dee + " " + eve}, {`mail!=ada@x.org`, bob + " " + cyd + " " + dee + " " + eve},
		{`phone==null`, cyd}, {`phone==%2B2`, ""}, {`phone==+2`, bob},
		{`"a>b"==x`, ada}, {`"A>B"!=null`, ada + " " + dee + " " + eve}, {`"a>b"==q"q`, dee}, {`tier=="x"y"`, ""},
		{"vip==true\npoints<0", dee}, {"vip==true\nvip==false", ""}, {"tier==gold\npoints>0\nday==2026-02-01", ada},
	} {
		got := s.call("GET", list+url.Values{"filter": strings.Split(c.filters, "\n")}.Encode(), "")
		if names(got.lines()) != c.want || got.header.Get("x-next-cursor") != "" {
			t.Errorf("%q: %s %v, want %s", c.filters, names(got.lines()), got.header, c.want)
		}
	}
	for filter, mention := range map[string]string{
		"teir==gold": `no field \"teir\"; the nearest is \"Tier\"`, "_roster_id==x": "no field", "tier": "filter 1 must be", "tier=gold": "filter 1 must be", "==gold": "filter 1 must be",
		`"tier==gold`: "filter 1 must be", "tier==": "has no value", "points==many": "whole number", "points==1.5": "whole number", "points==9223372036854775808": "whole number", "points=contains1": "type long takes",
		"score==NaN": "must be a number", "score>1,5": "must be a number", "day==2026-2-1": "must be a date", "day==2026-02-30": "must be a date", "at==2026-02-01": "must be a time",
		"at==2026-02-01T10:00:00": "must be a time", "at==2026-02-01T10:00:00 01:00": "%2B", "at==2026-02-01T10:00:00.0000001Z": "must be a time", "vip==yes": "true or false", "vip>true": "true or false",
		"tier>null": "null takes", "mail>a": "an identity takes", `mail==" "`: "no identity", "": "filter",
	} {
		got := s.call("GET", list+url.Values{"filter": {filter}}.Encode(), "")
		got.refused(400, "100910-400", mention)
		if strings.Contains(string(got.body), "many") {
			t.Errorf("%q: the refusal has the value: %s", filter, got.body)
		}
	}
	s.call("GET", list+strings.Repeat("filter=vip==true&", 21), "").refused(400, "100910-400", "at most 20")
	if csv := s.call("GET", ais+"/"+id+"/members?format=csv&fields=points&filter=tier==gold", ""); !strings.HasPrefix(string(csv.body), "points,_roster_since,") || strings.Count(string(csv.body), "\n") != 2 ||
		strings.Contains(string(csv.body), "gold") {
		t.Errorf("%d %s", csv.status, csv.body)
	}
}

// TestMemberFilterPages reads the pages of a filtered list over several data files with deleted rows. A compaction may
// reorder the members between two lists.
func TestMemberFilterPages(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.inRounds(90, func(_, person int) int { return person % 3 })
	list := ais + "/" + id + "/members?fields=mail,points"
	want := slices.DeleteFunc(linesOf(s.call("GET", list, "").body), func(line string) bool { return !strings.Contains(line, `"points":1,`) })
	for _, limit := range []int{0, 1, 2, 7, 29, 30, 31, 32, 10_000} {
		var pages []byte
		for cursor := ""; ; {
			query := list + "&cursor=" + url.QueryEscape(cursor)
			if cursor == "" {
				query += "&filter=points==1"
			}
			if limit > 0 {
				query += fmt.Sprint("&limit=", limit)
			}
			page := s.call("GET", query, "")
			pages = append(pages, page.body...)
			if cursor = page.header.Get("x-next-cursor"); cursor == "" {
				break
			}
			s.call("GET", list+"&filter=points==2&cursor="+url.QueryEscape(cursor), "").refused(400, "100910-400", "another filter")
		}
		if got := linesOf(pages); !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("pages of %d differ from the list:\n%q\n%q", limit, got, want)
		}
	}
}

// linesOf returns the lines of a list of members, sorted.
func linesOf(list []byte) []string { return slices.Sorted(strings.Lines(string(list))) }

// TestFilterOfHiddenField filters by a field with a label that the caller does not hold. The error is that of an
// unknown field.
func TestFilterOfHiddenField(t *testing.T) {
	t.Parallel()
	m := governed(t)
	_, id, _ := m.scored()
	plain := m.newClient("plain", `{"prod": "viewer"}`, `[]`)
	full := m.newClient("full", `{"prod": "viewer"}`, `["custom/score"]`)
	list := ais + "/" + id + "/members?filter="
	if all := m.as(full, "GET", list+"score==75318642", "").lines(); names(all) != "ada@example.com" {
		t.Errorf("who holds the label: %v", all)
	}
	hidden, unknown := m.as(plain, "GET", list+"score==75318642", ""), m.as(plain, "GET", list+"scure==75318642", "")
	hidden.refused(400, "100910-400", `no field \"score\"; the nearest is \"tier\", \"mail\"`)
	without := func(a answer) string {
		return strings.ReplaceAll(strings.ReplaceAll(string(a.body), "scure", "score"), a.header.Get("x-request-id"), "")
	}
	if without(hidden) != without(unknown) {
		t.Errorf("a hidden field is refused otherwise than an unknown one:\n%s\n%s", hidden.body, unknown.body)
	}
	if got := m.as(plain, "GET", list+"tier==gold", "").lines(); names(got) != "ada@example.com" || got["ada@example.com"]["score"] != nil {
		t.Errorf("%v", got)
	}
}

// TestMemberFilterOfMany searches for few members among many. A response ends before it has read all rows, and returns
// the position of the next page.
func TestMemberFilterOfMany(t *testing.T) {
	t.Parallel()
	s := start(t)
	const people, every = 1_200_000, 200_000
	var file strings.Builder
	file.WriteString("mail,points\n")
	for i := range people {
		fmt.Fprintf(&file, "m%d@x.org,%d\n", i, i%every)
	}
	s.land("people.csv", file.String())
	id := s.submit(loyalty)
	if run := s.ingest(id, fullRun); run["status"] != "SUCCESS" {
		t.Fatal(run)
	}
	list, found, answers := ais+"/"+id+"/members?filter=points==7", map[string]map[string]any{}, 0
	for cursor := ""; answers == 0 || cursor != ""; answers++ {
		page := s.call("GET", list+"&cursor="+url.QueryEscape(cursor), "")
		for name, member := range page.lines() {
			found[name] = member
		}
		cursor = page.header.Get("x-next-cursor")
	}
	if want := "m1000007@x.org m200007@x.org m400007@x.org m600007@x.org m7@x.org m800007@x.org"; names(found) != want || answers < 2 {
		t.Errorf("%d answers have %s", answers, names(found))
	}
	one := s.call("GET", list+"&limit=1", "")
	if len(one.lines()) != 1 || one.header.Get("x-next-cursor") == "" {
		t.Errorf("a page of one: %v %s", one.header, one.body)
	}
	credentials := app.CredentialsPath(s.dir)
	code, csv, log := finish(t, command(t, "members", "loyalty-club", "--server", s.creds.BaseURL, "--credentials", credentials, "--format", "csv", "--fields", "mail", "--filter", "points==7",
		"--filter", "mail=contains00007"))
	if code != 0 || strings.Count(csv, "\n") != 6 || strings.Count(csv, "mail,_roster_since") != 1 || strings.Contains(csv, "m7@x.org") {
		t.Errorf("exit code %d: %s%s", code, csv, log)
	}
}
