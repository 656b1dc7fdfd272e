package api

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

func TestClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.do("POST", "/roster/clients", `{"name": "loader", "roles": {"prod": "editor", "*": "viewer"}, "labels": ["custom/a", "core/C1"]}`)
	want := `{"clientId":"` + otherID + `","name":"loader","roles":{"*":"viewer","prod":"editor"},"labels":["core/C1","custom/a"],"createdAt":0,"updatedAt":0,"clientSecret":"a new secret"}` + "\n"
	if rec.Code != http.StatusCreated || rec.Body.String() != want {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	want = `{"clientId":"` + otherID + `","name":"loader","roles":{"prod":"editor"},"labels":["core/C1"],"createdBy":"` + clientID +
		`","createdAt":1749624273,"updatedAt":1749624273,"oldSecretsValidUntil":[1749624273]}` + "\n"
	if rec := w.do("GET", "/roster/clients/"+otherID, ""); rec.Code != 200 || rec.Body.String() != want {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	w.do("PATCH", "/roster/clients/"+otherID, `{"roles": {}, "labels": []}`)
	if p := last[control.ClientPatch](t, w.service); p.Name != nil || p.Roles == nil || len(p.Roles) != 0 || p.Grants == nil || len(*p.Grants) != 0 {
		t.Errorf("%+v", p)
	}
	w.do("PATCH", "/roster/clients/"+otherID, `{"name": "n"}`)
	if p := last[control.ClientPatch](t, w.service); *p.Name != "n" || p.Roles != nil || p.Grants != nil {
		t.Errorf("%+v", p)
	}
	for body, want := range map[string]time.Time{"": {}, `{}`: {}, `{"oldSecretsValidUntil": 0}`: time.Unix(0, 0), `{"oldSecretsValidUntil": 1749624273000}`: time.Unix(1749624273, 0)} {
		if rec := w.do("POST", "/roster/clients/"+otherID+"/secrets", body); rec.Code != 201 || !strings.Contains(rec.Body.String(), `"clientSecret":"a new secret"`) {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
		if got := last[time.Time](t, w.service); !got.Equal(want) || got.IsZero() != want.IsZero() {
			t.Errorf("%s: %s", body, got)
		}
	}
	if rec := w.do("DELETE", "/roster/clients/"+absentID, ""); rec.Code != http.StatusNotFound {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

func TestClientPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var ids []string
	for start, pages := "", 0; pages == 0 || start != ""; pages++ {
		list := ok[client.APIClientList](t, w.do("GET", "/roster/clients?limit=2&start="+start, ""), 200)
		for _, c := range list.Clients {
			ids = append(ids, c.ClientID)
		}
		start = list.Page.Next
	}
	if !reflect.DeepEqual(ids, []string{absentID, otherID, clientID}) {
		t.Errorf("%q", ids)
	}
}

// TestSecretsAreToldOnce repeats requests that create secrets.
func TestSecretsAreToldOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, body := range map[string]string{"/roster/clients": `{"name": "loader"}`, "/roster/clients/" + otherID + "/secrets": `{}`} {
		first := w.do("POST", path, body, "Idempotency-Key", path)
		again := w.do("POST", path, body, "Idempotency-Key", path)
		if !strings.Contains(first.Body.String(), "a new secret") || again.Code != 201 || strings.Contains(again.Body.String(), "secret\"") || again.Header().Get(repeatedHeader) != "true" {
			t.Errorf("%s: first %s, then %s", path, first.Body, again.Body)
		}
		for key, kept := range w.service.answers {
			if strings.Contains(kept.Body, "a new secret") {
				t.Errorf("the secret is kept under %s", key)
			}
		}
	}
}

func TestAudit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page := ok[client.AuditLog](t, w.do("GET", "/roster/audit?limit=2&clientId=c&requestId=r&object=o&action=audience.update&outcome=refused&sandbox=prod&since=1&until=1749624273000", ""), 200)
	q := last[audience.AuditQuery](t, w.service)
	want := audience.AuditQuery{Limit: 3, Sandbox: "prod", ClientID: "c", RequestID: "r", Object: "o", Action: audience.AudienceUpdate, Outcome: audience.Refused,
		Since: time.Unix(1, 0).UTC(), Until: time.Unix(1749624273, 0).UTC()}
	if !reflect.DeepEqual(q, want) {
		t.Errorf("%+v", q)
	}
	if len(page.Entries) != 2 || page.Entries[0].RequestID != "test" || page.Entries[0].ClientID != clientID || page.Page.Next == "" || strings.Contains(page.Page.Next, "=") {
		t.Errorf("%+v", page)
	}
	page = ok[client.AuditLog](t, w.do("GET", "/roster/audit?start="+page.Page.Next, ""), 200)
	if q := last[audience.AuditQuery](t, w.service); q.After == nil || q.After.ID != absentID || q.After.At.UnixMicro() != testNow.UnixMicro() {
		t.Errorf("%+v", q.After)
	}
	if page.Page.Next != "" || page.Page.Count != 3 {
		t.Errorf("%+v", page.Page)
	}
}
