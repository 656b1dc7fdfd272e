package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

const entities = "/data/core/ups/access/entities"

// values looks an identity up and returns its values in an audience, nil if the response has none.
func (s *server) values(namespace, identity, audience, query string) map[string]any {
	s.t.Helper()
	a := s.call("GET", entities+"?"+url.Values{"entityId": {identity}, "entityIdNS": {namespace}}.Encode()+query, "")
	if a.status == 404 {
		return nil
	}
	return enriched(a.ok(200), audience)
}

// enriched returns the values of the only profile in a response.
func enriched(profiles map[string]any, audience string) map[string]any {
	for _, p := range profiles {
		by, _ := p.(map[string]any)["entity"].(map[string]any)["audienceEnrichment"].(map[string]any)
		of, _ := by["CustomerAudienceUpload"].(map[string]any)
		values, _ := of[audience].(map[string]any)
		return values
	}
	return nil
}

const asked = "&fields=audienceEnrichment"

// TestValues checks the values that look-ups return after each kind of change of an audience.
func TestValues(t *testing.T) {
	t.Parallel()
	s := start(t)
	list := func(name, more string) string {
		return s.submit(fmt.Sprintf(`{"name": %q, "fields": [{"name": "mail", "type": "string", "identityNs": "email"}, {"name": "phone", "type": "string", "identityNs": "phone"},
			{"name": "tier", "type": "string"}, {"name": "points", "type": "integer"}, {"name": "day.of", "type": "date"}, {"name": "vip", "type": "boolean"}],
			"originName": "CUSTOM_UPLOAD", "sourceSpec": {"path": "in.csv", "type": "file", "cloudType": "DLZ"}%s}`, name, more))
	}
	const header = "mail,phone,tier,points,day.of,vip\n"
	s.land("in.csv", header+"Ada@Example.com,+441,gold,7,2026-01-02,yes\nbob@example.com,+442,,,,\n")
	id, quiet := list("list", ""), list("quiet", `, "payload": false`)
	first := s.ingest(id, "")["runId"].(string)
	s.ingest(quiet, "")
	const whole = `{"mail": "Ada@Example.com", "phone": "+441", "tier": "gold", "points": 7, "day.of": "2026-01-02", "vip": true}`
	for _, identity := range [][2]string{{"email", "ada@example.com"}, {"phone", "+441"}} {
		sameJSON(t, "ada by "+identity[0], s.values(identity[0], identity[1], id, asked), whole)
	}
	sameJSON(t, "bob", s.values("email", "bob@example.com", id, asked), `{"mail": "bob@example.com", "phone": "+442", "tier": null, "points": null, "day.of": null, "vip": null}`)
	within := asked + ".CustomerAudienceUpload." + id
	for query, want := range map[string]string{
		"": "null", "&fields=segmentMembership": "null", "&payload=false" + asked: "null", "&payload=true": whole, within: whole, within + ".Tier": `{"tier": "gold"}`,
		within + ".day.of,audienceEnrichment.CustomerAudienceUpload." + id + ".vip": `{"day.of": "2026-01-02", "vip": true}`, within + ".tie": "null",
		asked + ".Other": "null", "&fields=identities,audienceEnrichment.CustomerAudienceUpload": whole,
	} {
		var got any
		if v := s.values("email", "ada@example.com", id, query); v != nil {
			got = v
		}
		sameJSON(t, "with "+query, got, want)
	}
	if v := s.values("email", "ada@example.com", quiet, "&payload=true"); v != nil {
		t.Errorf("an audience without payload has %v", v)
	}
	s.call("PATCH", ais+"/"+quiet, `{"payload": true}`).ok(200)
	sameJSON(t, "with payload", s.values("email", "ada@example.com", quiet, asked), whole)
	s.call("GET", entities+"?entityIdNS=email&entityId=a@example.com&payload=maybe", "").refused(400, "100910-400", "payload")
	many := s.call("POST", entities, `{"payload": true, "identities": [{"entityId": "ada@example.com", "entityIdNS": {"code": "email"}}]}`)
	sameJSON(t, "many", enriched(many.ok(200), id), whole)

	// A differential run changes only the people in its files. A rollback also restores the values.
	tier := func(what, mail, want string) {
		t.Helper()
		if got, _ := s.values("email", mail, id, asked)["tier"].(string); got != want {
			t.Errorf("%s: %s has %q, not %q", what, mail, got, want)
		}
	}
	s.land("in.csv", header+"ada@example.com,+441,silver,8,,\n")
	s.ingest(id, "")
	tier("after an upsert", "ada@example.com", "silver")
	if s.values("email", "bob@example.com", id, asked) == nil {
		t.Error("bob has no values after an upsert of others")
	}
	s.land("in.csv", header+"bob@example.com,+442,tin,1,,\n")
	s.ingest(id, fullRun)
	tier("who left", "ada@example.com", "")
	tier("after a full run", "bob@example.com", "tin")
	back := s.call("POST", ais+"/"+id+"/runs/"+first+"/rollback", "{}").ok(200)["runId"].(string)
	s.poll(ais+"/"+id+"/run/"+back, ended)
	tier("after a rollback", "ada@example.com", "gold")
	tier("after a rollback", "bob@example.com", "")
	s.stop()
	s.open()
	tier("after a restart", "ada@example.com", "gold")
	s.erase("phone", "+441")
	for _, identity := range [][2]string{{"email", "ada@example.com"}, {"phone", "+441"}} {
		if v := s.values(identity[0], identity[1], id, asked); v != nil {
			t.Errorf("erased: %v", v)
		}
	}
	if s.values("email", "bob@example.com", id, asked) == nil {
		t.Error("bob has no values after an erasure of another")
	}
	s.clock.advance(31 * 24 * time.Hour)
	s.token = s.newToken()
	if v := s.values("email", "bob@example.com", id, asked); v != nil {
		t.Errorf("expired: %v", v)
	}
}

// TestLabelledValues looks values up as a caller who does not hold the label of a field.
func TestLabelledValues(t *testing.T) {
	t.Parallel()
	m := governed(t)
	_, id, _ := m.scored()
	plain, full := m.newClient("plain", `{"prod": "viewer"}`, `[]`), m.newClient("full", `{"prod": "viewer"}`, `["custom/score"]`)
	path := entities + "?entityIdNS=email&entityId=ada@example.com"
	sameJSON(t, "with the label", enriched(m.as(full, "GET", path+asked, "").ok(200), id), `{"mail": "ada@example.com", "tier": "gold", "score": 75318642}`)
	sameJSON(t, "without it", enriched(m.as(plain, "GET", path+asked, "").ok(200), id), `{"mail": "ada@example.com", "tier": "gold"}`)
	if a := m.as(plain, "GET", path+asked+".CustomerAudienceUpload."+id+".score", ""); strings.Contains(string(a.body), "score") || strings.Contains(string(a.body), "75318642") {
		t.Errorf("%s", a.body)
	}
}
