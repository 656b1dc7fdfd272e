package e2e

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// pairsBody is the submit of an audience with expressActivation: a member is a mail with a booking.
func pairsBody(name, more string) string {
	return fmt.Sprintf(`{"name": %q, "fields": [{"name": "mail", "type": "string", "identityNs": "email"}, {"name": "tier", "type": "string"},
		{"name": "booking", "type": "long", "identityNs": "booking"}, {"name": "phone", "type": "string", "identityNs": "phone"},
		{"name": "gone", "type": "boolean", "role": "delete"}], "originName": "CUSTOM_UPLOAD", "expressActivation": true, "guards": {"maxRejectedPercent": 100, "maxRemovedPercent": 100},
		"sourceSpec": {"path": %q, "type": "folder", "cloudType": "DLZ"}%s}`, name, name, more)
}

// startWithBookings starts a server with a namespace for bookings.
func startWithBookings(t *testing.T) *server {
	t.Helper()
	s := start(t)
	s.call("POST", "/data/core/idnamespace/identities", `{"name": "Booking", "code": "Booking", "idType": "Non_people"}`).ok(201)
	return s
}

// pairs lists the members of an audience: mail, booking and tier.
func (s *server) pairs(id, query string) string {
	s.t.Helper()
	var list []string
	for line := range strings.Lines(string(s.call("GET", ais+"/"+id+"/members?format=csv&fields=mail,booking,tier"+query, "").body)) {
		if cells := strings.Split(strings.TrimSpace(line), ","); cells[0] != "mail" {
			list = append(list, strings.Join(cells[:3], ":"))
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// tiers returns the tiers of the rows that a look-up returns in an audience, sorted; "-" if it returns no rows.
func (s *server) tiers(namespace, identity, audience string) string {
	s.t.Helper()
	a := s.call("GET", entities+"?"+url.Values{"entityId": {identity}, "entityIdNS": {namespace}}.Encode()+asked, "")
	if a.status == 404 {
		return ""
	}
	for _, p := range a.ok(200) {
		by, _ := p.(map[string]any)["entity"].(map[string]any)["audienceEnrichment"].(map[string]any)
		of, _ := by["CustomerAudienceUpload"].(map[string]any)
		rows, ok := of[audience].([]any)
		if !ok {
			return "-"
		}
		var list []string
		for _, r := range rows {
			list = append(list, fmt.Sprint(r.(map[string]any)["tier"]))
		}
		slices.Sort(list)
		return strings.Join(list, " ")
	}
	return ""
}

// ledger returns a short form of a run's ledger.
func ledger(run map[string]any) string {
	r, m := run["rows"].(map[string]any), run["members"].(map[string]any)
	return fmt.Sprint(run["status"], " read ", r["rowsRead"], " rejected ", r["rowsRejected"], " duplicates ", r["duplicates"], " added ", r["added"], " updated ", r["updated"],
		" unchanged ", r["unchanged"], " deleted ", r["deleted"], " ", r["deletedNotMember"], " members ", m["before"], " ", m["after"], " removed ", m["removed"])
}

const pairHeader = "mail,tier,booking,phone,gone\n"

// TestExpressActivation keeps several rows of one person as members through every kind of run and after a rebuild of
// the profile store.
func TestExpressActivation(t *testing.T) {
	t.Parallel()
	s := startWithBookings(t)
	s.land("trips/1.csv", pairHeader+"Ada@x.org,old,1,+441,\nada@x.org,gold,2,+441,\nADA@x.org,silver,1,+441,\nbob@x.org,iron,1,,\nada@x.org,none,,,\neve@x.org,none,,,true\n,none,7,,\n")
	id := s.submit(pairsBody("trips", ""))
	run := s.ingest(id, fullRun)
	if got := ledger(run); got != "SUCCESS read 7 rejected 3 duplicates 1 added 3 updated 0 unchanged 0 deleted 0 0 members 0 3 removed 0" {
		t.Fatalf("the first run: %s", got)
	}
	rejects := string(s.callWith("GET", ais+"/"+id+"/runs/"+run["runId"].(string)+"/rejects", "", map[string]string{"Accept": "text/csv"}).body)
	if strings.Count(rejects, "IDENTITY,the supplemental identity is empty") != 2 || strings.Count(rejects, "the primary identity is empty") != 1 {
		t.Errorf("rejects: %s", rejects)
	}
	same := func(what, members string, found map[string]string) {
		t.Helper()
		if got := s.pairs(id, ""); got != members {
			t.Errorf("%s: the members are %q, not %q", what, got, members)
		}
		for who, want := range found {
			namespace, identity, _ := strings.Cut(who, " ")
			if got := s.tiers(namespace, identity, id); got != want {
				t.Errorf("%s: %s has %q, not %q", what, who, got, want)
			}
			status := "realized"
			if want == "-" {
				status = "exited"
			} else if want == "" {
				status = ""
			}
			if got := s.lookup(namespace, identity, id); got != status {
				t.Errorf("%s: %s is %q, not %q", what, who, got, status)
			}
		}
	}
	const three = "ADA@x.org:1:silver ada@x.org:2:gold bob@x.org:1:iron"
	everybody := map[string]string{"email ada@x.org": "gold silver", "booking 1": "iron silver", "booking 2": "gold", "email bob@x.org": "iron", "phone +441": "gold silver", "booking 7": "", "email eve@x.org": ""}
	same("at first", three, everybody)
	whole := s.call("GET", upsAudiences+"/"+id, "").ok(200)
	if got := whole["recordMetrics"].(map[string]any)["data"].(map[string]any)["recordCount"]; got != 3.0 {
		t.Errorf("the record count is %v", got)
	}
	member := s.call("GET", ais+"/"+id+"/members/email/ada@x.org", "").ok(200)
	if line := member["line"]; member["status"] != "realized" || line != 3.0 && line != 4.0 {
		t.Errorf("the member is %v", member)
	}

	// One pair changes, one is new, one leaves, and one to delete does not exist.
	s.land("trips/2.csv", pairHeader+"ada@x.org,platinum,2,+441,\nada@x.org,new,3,+442,\nbob@x.org,iron,1,,true\nada@x.org,x,9,,true\nada@x.org,x,,,yes\n")
	second := s.ingest(id, `{}`)
	if got := ledger(second); got != "SUCCESS read 5 rejected 1 duplicates 0 added 1 updated 1 unchanged 0 deleted 1 1 members 3 3 removed 0" {
		t.Errorf("the second run: %s", got)
	}
	changed := map[string]string{"email ada@x.org": "new platinum silver", "booking 1": "silver", "booking 2": "platinum", "booking 3": "new", "email bob@x.org": "-", "phone +441": "platinum silver", "phone +442": "new"}
	same("after changes", "ADA@x.org:1:silver ada@x.org:2:platinum ada@x.org:3:new", changed)
	if got := s.pairs(id, "&asOf="+run["runId"].(string)); got != three {
		t.Errorf("as of the first run the members were %q", got)
	}

	// A person stays a member while one of the pairs does.
	if err := os.Remove(filepath.Join(s.dir, "landing", s.creds.Sandbox, "trips/1.csv")); err != nil {
		t.Fatal(err)
	}
	s.land("trips/2.csv", pairHeader+"ada@x.org,new,3,+442,\nbob@x.org,back,1,,\n")
	if got := ledger(s.ingest(id, fullRun)); got != "SUCCESS read 2 rejected 0 duplicates 0 added 1 updated 0 unchanged 1 deleted 0 0 members 3 2 removed 2" {
		t.Errorf("the third run: %s", got)
	}
	same("after a full run", "ada@x.org:3:new bob@x.org:1:back", map[string]string{"email ada@x.org": "new", "booking 1": "back", "booking 2": "-", "phone +441": "-", "email bob@x.org": "back"})
	undo := s.call("POST", ais+"/"+id+"/runs/"+second["runId"].(string)+"/rollback", "").ok(200)["runId"].(string)
	if got := s.poll(ais+"/"+id+"/run/"+undo, ended); got["status"] != "SUCCESS" {
		t.Fatalf("%v", got)
	}
	same("after a rollback", "ADA@x.org:1:silver ada@x.org:2:platinum ada@x.org:3:new", changed)

	// Without the profile store, look-ups find everything again from the dataset.
	s.stop()
	if err := os.RemoveAll(filepath.Join(s.dir, "profile")); err != nil {
		t.Fatal(err)
	}
	s.open()
	for s.call("GET", entities+"?entityIdNS=email&entityId=ada@x.org", "").status == 503 {
		<-time.After(10 * time.Millisecond)
	}
	same("after a projection", "ADA@x.org:1:silver ada@x.org:2:platinum ada@x.org:3:new", changed)

	s.clock.advance(31 * 24 * time.Hour)
	s.token = s.newToken()
	same("later", "", map[string]string{"email ada@x.org": "-", "booking 3": "-"})
}

// TestExpressProperty creates audiences with and without expressActivation, and tries to change it.
func TestExpressProperty(t *testing.T) {
	t.Parallel()
	s := startWithBookings(t)
	id, plain := s.submit(pairsBody("pairs", "")), s.submit(strings.Replace(pairsBody("plain", ""), `"expressActivation": true`, `"expressActivation": null`, 1))
	for _, a := range []struct {
		id string
		is bool
	}{{id, true}, {plain, false}} {
		if got := s.call("GET", ais+"/"+a.id, "").ok(200)["expressActivation"]; got != a.is {
			t.Errorf("it is %v, not %v", got, a.is)
		}
		body := func(is bool) string { return fmt.Sprintf(`{"expressActivation": %v}`, is) }
		s.call("PATCH", ais+"/"+a.id, body(a.is)).ok(200)
		s.call("PATCH", ais+"/"+a.id, `{"expressActivation": null}`).ok(200)
		s.call("PATCH", ais+"/"+a.id, body(!a.is)).refused(400, "100910-400", "expressActivation", "cannot change")
		s.call("PUT", upsAudiences+"/"+a.id, body(a.is)).ok(200)
		s.call("PUT", upsAudiences+"/"+a.id, body(!a.is)).refused(400, "100910-400", "expressActivation")
	}
	one := strings.Replace(strings.Replace(pairsBody("one", ""), `, "identityNs": "booking"`, "", 1), `, "identityNs": "phone"`, "", 1)
	s.call("POST", ais+"/submit", one).refused(422, "100960-422", "expressActivation", "supplemental identity")
	s.call("POST", upsAudiences, one).refused(422, "100960-422", "expressActivation")
	s.call("POST", ais+"/submit", strings.Replace(one, "true", `"yes"`, 1)).refused(400, "100910-400", "expressActivation")
	if got := s.call("POST", upsAudiences, pairsBody("other", "")).ok(200); got["name"] != "other" {
		t.Errorf("%v", got)
	}

	// Without expressActivation, rows of one person are duplicates, a row needs no booking, and the values are those of
	// one row.
	const rows = pairHeader + "ada@x.org,old,1,,\nada@x.org,gold,2,,\nbob@x.org,iron,,,\n"
	s.land("plain/in.csv", rows)
	if got := ledger(s.ingest(plain, fullRun)); !strings.HasPrefix(got, "SUCCESS read 3 rejected 0 duplicates 1 added 2") {
		t.Errorf("without it: %s", got)
	}
	if got := s.values("email", "ada@x.org", plain, asked)["tier"]; got != "gold" {
		t.Errorf("without it the tier is %v", got)
	}

	// Each file must have a column for the supplemental identity.
	s.land("pairs/in.csv", "mail,tier\nada@x.org,old\n")
	if run := s.ingest(id, fullRun); run["status"] != "FAILED" || !strings.Contains(compact(run["error"]), "booking") {
		t.Errorf("a file without bookings: %v", run)
	}
	quiet := s.submit(pairsBody("quiet", `, "profileIngestion": false`))
	s.land("quiet/in.csv", rows)
	if got := ledger(s.ingest(quiet, fullRun)); !strings.HasPrefix(got, "SUCCESS read 3 rejected 1 duplicates 0 added 2") {
		t.Errorf("without profiles: %s", got)
	}
	if got := s.pairs(quiet, ""); got != "ada@x.org:1:old ada@x.org:2:gold" {
		t.Errorf("without profiles: %s", got)
	}
	s.call("GET", ais+"/"+quiet+"/members/email/ada@x.org", "").refused(422, "100960-422", "expressActivation")
}

// TestEraseExpress erases a person with all pairs, and every row with a given supplemental identity.
func TestEraseExpress(t *testing.T) {
	t.Parallel()
	s := startWithBookings(t)
	const rest = "bob@x.org,iron,71001,,\nbob@x.org,iron,71004,,\ncleo@x.org,gold,71004,,\n"
	s.land("trips/in.csv", pairHeader+"ada.lovelace@x.org,old,71001,+44177,\nAda.Lovelace@x.org,gold,71002,,\nada.lovelace@x.org,gone,71003,,\n"+rest)
	id := s.submit(pairsBody("trips", ""))
	s.ingest(id, fullRun)
	s.land("trips/in.csv", pairHeader+"ada.lovelace@x.org,old,71001,+44177,\nada.lovelace@x.org,gold,71002,,\n"+rest)
	if got := ledger(s.ingest(id, fullRun)); !strings.HasSuffix(got, "members 6 5 removed 1") {
		t.Fatalf("the second run: %s", got)
	}
	e := s.erase("email", "ada.lovelace@x.org")
	if list := e["audiences"].([]any); len(list) != 1 || list[0].(map[string]any)["members"] != 2.0 {
		t.Errorf("erased from %v", list)
	}
	check := func(what, members string, found map[string]string) {
		t.Helper()
		if got := s.pairs(id, ""); got != members {
			t.Errorf("%s: the members are %q", what, got)
		}
		for booking, want := range found {
			if got := s.tiers("booking", booking, id); got != want {
				t.Errorf("%s: %s has %q, not %q", what, booking, got, want)
			}
		}
	}
	check("without ada", "bob@x.org:71001:iron bob@x.org:71004:iron cleo@x.org:71004:gold", map[string]string{"71001": "iron", "71002": "", "71003": "", "71004": "gold iron"})
	if held := s.holders("ada.lovelace@x.org"); len(held) > 0 {
		t.Errorf("%v hold the mail", held)
	}
	if _, found := s.profile("phone", "+44177"); found {
		t.Error("the phone is found")
	}
	s.certified(e)

	e = s.erase("booking", "71004")
	if list := e["audiences"].([]any); len(list) != 1 || list[0].(map[string]any)["members"] != 2.0 {
		t.Errorf("erased from %v", list)
	}
	check("without a booking", "bob@x.org:71001:iron", map[string]string{"71001": "iron", "71004": ""})
	if got := s.tiers("email", "cleo@x.org", id); got != "" {
		t.Errorf("whoever had no other booking has %q", got)
	}
	if got := s.lookup("email", "bob@x.org", id); got != "realized" {
		t.Errorf("whoever had another one is %q", got)
	}
}

// TestImportExpress imports several rows of one person as members.
func TestImportExpress(t *testing.T) {
	n := newNewcomer(t)
	n.file("trips.csv", "tier,mail,booking\nold,ada@x.org,B1\ngold,ada@x.org,B2\niron,bob@x.org,\n")
	const first = "import trips.csv --name trips --identity mail=Email --identity booking=Booking --create-namespace --express-activation --max-rejected 50"
	n.run(0, first+" --dry-run --full", "the supplemental identity is empty")
	n.run(0, first+" --full", "2 members")
	n.file("more.csv", "tier,mail,booking\nnew,ada@x.org,B3\nplatinum,ada@x.org,B2\n")
	n.run(0, "import more.csv --name trips --changes", "3 members")
	n.run(0, "import more.csv --name trips --changes --express-activation", "Nothing was read")
	n.run(0, "import more.csv --name plain --identity mail=Email --identity booking=Booking --full", "1 member")
	n.run(2, "import more.csv --name plain --changes --express-activation", "expressActivation")
	n.run(0, "check")
}

// TestExpressManyRows looks up 10,000 rows of one person. One more row is refused.
func TestExpressManyRows(t *testing.T) {
	t.Parallel()
	s := startWithBookings(t)
	const most = 10_000
	var file strings.Builder
	file.WriteString(pairHeader)
	for i := range most {
		fmt.Fprintf(&file, "ada@example.com,gold,%d,,\n", i)
	}
	s.land("many/1.csv", file.String())
	id := s.submit(pairsBody("many", ""))
	if run := s.ingest(id, fullRun); run["status"] != "SUCCESS" {
		t.Fatal(run)
	}
	if got := strings.Count(s.tiers("email", "ada@example.com", id), "gold"); got != most {
		t.Errorf("%d rows are answered, want %d", got, most)
	}
	s.land("many/2.csv", pairHeader+"ada@example.com,gold,10000,,\n")
	if run := s.ingest(id, fullRun); run["status"] != "SUCCESS" {
		t.Fatal(run)
	}
	s.call("GET", entities+"?entityId=ada@example.com&entityIdNS=email"+asked, "").refused(422, "100960-422", "more than 10000 rows")
}
