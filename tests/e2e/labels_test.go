package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// governed is a server with an administrator, for tests that create API clients.
func governed(t *testing.T) *matrix {
	t.Helper()
	m := &matrix{server: start(t)}
	m.admin = m.caller("admin", m.creds.ClientID, m.creds.ClientSecret, m.creds.OrgID, "prod")
	return m
}

// scored submits an audience whose field score has a label, with a member and a reject. It returns the ids of the task,
// the audience and the run.
func (m *matrix) scored() (task, id, run string) {
	m.t.Helper()
	m.land("people.csv", "mail,tier,score\nada@example.com,gold,75318642\nbob@example.com,tin,seven\n")
	task = m.call("POST", ais+"/submit", `{"name": "people", "keepRejectedRows": true, "guards": {"maxRejectedPercent": 100},
		"fields": [{"name": "mail", "type": "string", "identityNs": "email"}, {"name": "tier", "type": "string"},
			{"name": "score", "type": "long", "labels": ["custom/score"]}],
		"originName": "CUSTOM_UPLOAD", "sourceSpec": {"path": "people.csv", "type": "file", "cloudType": "DLZ"}}`).ok(200)["taskId"].(string)
	id = m.poll(ais+"/task/"+task, ended)["audienceId"].(string)
	v := m.ingest(id, "")
	if v["status"] != "SUCCESS" || v["rows"].(map[string]any)["rowsRejected"] != 1.0 {
		m.t.Fatal(v)
	}
	return task, id, v["runId"].(string)
}

// TestLabelledFields reads an audience as a caller who does not hold the label of one of its fields.
func TestLabelledFields(t *testing.T) {
	t.Parallel()
	m := governed(t)
	task, id, run := m.scored()
	plain := m.newClient("plain", `{"prod": "editor"}`, `[]`)
	full := m.newClient("full", `{"prod": "viewer"}`, `["custom/score"]`)
	one := ais + "/" + id
	for path, values := range map[string]bool{
		one: false, ais: false, ais + "/task/" + task: false, ais + "/operations/" + task: false, one + "/members": true, one + "/members?format=csv": true,
		one + "/runs": false, one + "/runs/" + run: false, one + "/runs/" + run + "/rejects": true, one + "/runs/" + run + "/rejects?format=csv": true,
		one + "/runs/" + run + "/rejects?format=ndjson": true, one + "/runs/" + run + "/receipt": false, one + "/versions": false,
		"/data/core/ups/audiences/" + id: false, "/data/foundation/flowservice/runs?property=flowId==" + m.flow(id): false,
	} {
		seen, hidden := m.as(full, "GET", path, ""), m.as(plain, "GET", path, "")
		if seen.status != 200 || hidden.status != 200 {
			t.Fatalf("%s: %d with the label, %d without it", path, seen.status, hidden.status)
		}
		for _, text := range []string{"score", "75318642", "seven"} {
			if strings.Contains(string(hidden.body), text) {
				t.Errorf("%s tells %q: %s", path, text, hidden.body)
			}
		}
		if values && !strings.Contains(string(seen.body), "75318642") && !strings.Contains(string(seen.body), "seven") {
			t.Errorf("%s does not tell all to who holds the label: %s", path, seen.body)
		}
	}
	if members := string(m.as(plain, "GET", one+"/members?format=csv", "").body); !strings.HasPrefix(members, "mail,tier,_roster_since") || !strings.Contains(members, "ada@example.com,gold") {
		t.Errorf("members: %s", members)
	}
	m.as(plain, "GET", one+"/members?fields=score", "").refused(400, "100910-400", "no field")
	m.as(plain, "PATCH", one, `{"fields": [{"name": "score", "labels": []}]}`).refused(400, "100910-400", "no field")
	m.as(plain, "PATCH", one, `{"fields": [{"name": "tier", "labels": ["core/C1"]}]}`).refused(401, "100922-401", "core/C1")

	// A run has one receipt. A caller who may not see all of its content does not get it.
	m.land("people.csv", "mail,tier\nada@example.com,gold\n")
	second := m.ingest(id, `{"force": true}`)["runId"].(string)
	m.as(full, "GET", one+"/runs/"+second+"/receipt", "").ok(200)
	m.as(plain, "GET", one+"/runs/"+second+"/receipt", "").refused(401, "100922-401")
	if told := m.as(plain, "GET", one+"/runs/"+second, ""); told.status != 200 || strings.Contains(string(told.body), "score") {
		t.Errorf("%s", told.body)
	}

	// A change by a caller who does not see the field leaves the field unchanged.
	etag := m.as(plain, "GET", "/data/core/ups/audiences/"+id, "").header.Get("ETag")
	m.as(plain.but("plain", "If-Match", etag), "PATCH", "/data/core/ups/audiences/"+id, `[{"op": "add", "path": "/description", "value": "new"}]`).ok(200)
	fields := m.as(full, "GET", one, "").ok(200)["fields"].([]any)
	if len(fields) != 3 || fields[2].(map[string]any)["labels"].([]any)[0] != "custom/score" {
		t.Errorf("fields after a change: %v", fields)
	}
}

// TestLabelledIdentities looks members up by identities in a field with a label. A caller who does not hold the label
// cannot find out who has a value in the field.
func TestLabelledIdentities(t *testing.T) {
	t.Parallel()
	m := governed(t)
	m.land("people.csv", "mail,phone\nada@example.com,+441\n")
	id := m.submit(`{"name": "people", "fields": [{"name": "mail", "type": "string", "identityNs": "email"},
		{"name": "phone", "type": "string", "identityNs": "phone", "labels": ["custom/phone"]}],
		"originName": "CUSTOM_UPLOAD", "sourceSpec": {"path": "people.csv", "type": "file", "cloudType": "DLZ"}}`)
	m.ingest(id, "")
	plain, full := m.newClient("plain", `{"prod": "viewer"}`, `[]`), m.newClient("full", `{"prod": "viewer"}`, `["custom/phone"]`)
	const entities = "/data/core/ups/access/entities?schema.name=_xdm.context.profile&"
	for path, status := range map[string]int{
		entities + "entityId=%2B441&entityIdNS=phone": 404, ais + "/" + id + "/members/phone/+441": 404,
		entities + "entityId=ada@example.com&entityIdNS=email": 200, ais + "/" + id + "/members/email/ada@example.com": 200,
	} {
		m.as(full, "GET", path, "").ok(200)
		if a := m.as(plain, "GET", path, ""); a.status != status {
			t.Errorf("%s without the label: %d %s", path, a.status, a.body)
		}
	}
	const many = `{"identities": [{"entityId": "+441", "entityIdNS": {"code": "phone"}}]}`
	if a := m.as(plain, "POST", "/data/core/ups/access/entities", many); strings.Contains(string(a.body), id) {
		t.Errorf("%s", a.body)
	}
}

// flow returns the id of an audience's flow.
func (m *matrix) flow(id string) string {
	m.t.Helper()
	return m.call("GET", "/data/core/ups/audiences/"+id, "").ok(200)["linkedAudienceRef"].(map[string]any)["flowId"].(string)
}

// TestLabelsAtOnce checks that a label on an audience, and its grant to a client, take effect with the next request.
func TestLabelsAtOnce(t *testing.T) {
	t.Parallel()
	m := governed(t)
	_, id, _ := m.scored()
	viewer := m.newClient("viewer", `{"prod": "viewer"}`, `["custom/score"]`)
	sees := func(want bool) {
		t.Helper()
		status, total := 404, 0.0
		if want {
			status, total = 200, 1.0
		}
		for _, path := range []string{ais + "/" + id, ais + "/" + id + "/members", "/data/core/ups/access/entities?schema.name=_xdm.context.profile&entityId=ada@example.com&entityIdNS=email"} {
			if a := m.as(viewer, "GET", path, ""); a.status != status {
				t.Errorf("%s: %d, want %d", path, a.status, status)
			}
		}
		for _, path := range []string{ais, "/data/core/ups/audiences", "/data/core/ups/audiences?name=EOPL"} {
			if got := m.as(viewer, "GET", path, "").ok(200)["_page"].(map[string]any)["totalCount"]; got != total {
				t.Errorf("%s counts %v", path, got)
			}
		}
	}
	grant := func(labels string) {
		t.Helper()
		m.as(m.admin, "PATCH", "/roster/clients/"+viewer.id, `{"labels": `+labels+`}`).ok(200)
	}
	sees(true)
	m.call("PATCH", ais+"/"+id, `{"labels": ["core/S1", "custom/x"]}`).ok(200)
	sees(false)
	grant(`["core/S1"]`)
	sees(false)
	grant(`["core/S1", "custom/x"]`)
	sees(true)
	grant(`["*"]`)
	sees(true)
	grant(`[]`)
	sees(false)
	m.call("PATCH", ais+"/"+id, `{"labels": []}`).ok(200)
	sees(true)

	// The log shows who changed which labels, and no personal data.
	log := m.as(m.admin, "GET", "/roster/audit?action=audience.update&object="+id, "")
	var page struct {
		Entries []struct{ Before, After map[string]any }
	}
	log.ok(200)
	if err := json.Unmarshal(log.body, &page); err != nil || len(page.Entries) != 2 {
		t.Fatal(string(log.body), err)
	}
	if got := fmt.Sprint(page.Entries[1].Before, page.Entries[1].After); got != "map[labels:[]] map[labels:[core/S1 custom/x]]" {
		t.Errorf("the entry tells %s", got)
	}
	if all := m.as(m.admin, "GET", "/roster/audit", ""); strings.Contains(string(all.body), "example.com") {
		t.Errorf("the log tells of people: %s", all.body)
	}
}
