package e2e

import (
	"fmt"
	"strings"
	"testing"

	"roster/internal/app"
)

const accountFields = `[{"name": "account", "type": "string", "identityNs": "erp"}, {"name": "mail", "type": "string", "identityNs": "email"}, {"name": "tier", "type": "string"}]`

func accountBody(name, audienceType, fields string) string {
	return fmt.Sprintf(`{"name": %q, "audienceType": %q, "fields": %s, "originName": "CUSTOM_UPLOAD",
		"sourceSpec": {"path": "in.csv", "type": "file", "cloudType": "DLZ"}}`, name, audienceType, fields)
}

// TestAccountAudiences creates audiences of accounts, whose type name the operator sets, and looks them up and lists
// them together with audiences of people.
func TestAccountAudiences(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *app.Config) { c.AccountType = "account" })
	for code, idType := range map[string]string{"erp": "b2b-account", "plant": "NON_PEOPLE", "card": "CROSS_DEVICE", "deal": "B2B_OPPORTUNITY"} {
		s.call("POST", "/data/core/idnamespace/identities", fmt.Sprintf(`{"name": %q, "code": %q, "idType": %q}`, code, code, idType)).ok(201)
	}
	if made := s.call("GET", "/data/core/idnamespace/identities/erp", "").ok(200); made["idType"] != "B2B_ACCOUNT" {
		t.Errorf("the namespace of accounts is %v", made)
	}
	s.land("in.csv", "account,mail,tier\nA-1,ada@example.com,gold\nA-2,,\n")
	accounts := s.submit(accountBody("accounts", "account", accountFields))
	plants := s.submit(accountBody("plants", "account", strings.Replace(accountFields, "erp", "plant", 1)))
	people := s.submit(accountBody("people", "people", accountFields)) // same as without accounts, whatever the namespaces are
	for _, id := range []string{accounts, people} {
		if run := s.ingest(id, ""); run["status"] != "SUCCESS" {
			t.Fatalf("%v", run)
		}
	}
	if got := s.call("GET", ais+"/"+accounts, "").ok(200)["audienceType"]; got != "account" {
		t.Errorf("the type is %v", got)
	}
	for _, who := range [][2]string{{"erp", "A-1"}, {"ERP", " A-2 "}, {"email", "Ada@example.com"}} {
		if got := s.lookup(who[0], who[1], accounts); got != "realized" {
			t.Errorf("%v is %q", who, got)
		}
	}
	find := entities + "?entityIdNS=erp&entityId=A-1&schema.name=_xdm.context."
	for schema, audiences := range map[string]int{"profile": 2, "account": 1} {
		for _, p := range s.call("GET", find+schema, "").ok(200) {
			if got := p.(map[string]any)["sources"].([]any); len(got) != audiences {
				t.Errorf("as %s: %v", schema, got)
			}
		}
	}
	found := s.call("POST", entities, `{"schema": {"name": "_xdm.context.account"}, "identities": [{"entityId": "A-2", "entityIdNS": {"code": "erp"}}]}`).ok(200)
	if text := compact(found); !strings.Contains(text, accounts) || strings.Contains(text, people) {
		t.Errorf("in bulk: %s", text)
	}
	s.call("GET", find+"opportunity", "").refused(400, "100910-400", "schema.name", "_xdm.context.account")
	for query, want := range map[string]string{
		ais + "?audienceType=account": "accounts plants", ais + "?audienceType=people": "people", ais + "?audienceType=Account": "",
		upsAudiences + "?property=audienceType==account": "accounts plants", upsAudiences + "?entityType=_xdm.context.profile": "people",
		upsAudiences + "?entityType=_xdm.context.account&name=lan": "plants", upsAudiences + "?entityType=_xdm.context.opportunity": "", upsAudiences: "accounts people plants",
	} {
		list := s.call("GET", query, "").ok(200)
		total := list["_page"].(map[string]any)["totalCount"]
		if got := namesOf(list); got != want || total != float64(len(strings.Fields(want))) {
			t.Errorf("%s: %q of %v, want %q", query, got, total, want)
		}
	}
	if got := s.call("GET", upsAudiences+"/"+plants, "").ok(200)["audienceType"]; got != "account" {
		t.Errorf("beside others the type is %v", got)
	}
	for name, fields := range map[string]string{
		"of people": `[{"name": "mail", "type": "string", "identityNs": "email"}]`, "across devices": strings.Replace(accountFields, "erp", "card", 1),
		"of opportunities":  strings.Replace(accountFields, "erp", "deal", 1),
		"an account second": `[{"name": "mail", "type": "string", "identityNs": "email"}, {"name": "account", "type": "string", "identityNs": "erp"}]`,
	} {
		s.call("POST", ais+"/submit", accountBody(name, "account", fields)).refused(400, "100910-400", "fields[0].identityNs", "B2B_ACCOUNT")
	}
	s.call("POST", ais+"/submit", accountBody("other", "Account", accountFields)).refused(400, "100910-400", "audienceType", "for accounts")
	s.call("POST", ais+"/submit", accountBody("none", "account", `[{"name": "a", "type": "string"}]`)).refused(400, "100910-400", "fields")

	// Without the setting, existing audiences of accounts still work, and new ones are refused.
	s.stop()
	s.tune = nil
	s.open()
	s.call("POST", ais+"/submit", accountBody("late", "account", accountFields)).refused(400, "100910-400", "audienceType", "--account-audience-type")
	if got := s.lookup("erp", "A-1", accounts); got != "realized" {
		t.Errorf("later it is %q", got)
	}
}

// namesOf returns the names of the audiences in a list, in order.
func namesOf(list map[string]any) string {
	audiences, ok := list["audiences"].([]any)
	if !ok {
		audiences = list["children"].([]any)
	}
	found := map[string]map[string]any{}
	for _, a := range audiences {
		found[a.(map[string]any)["name"].(string)] = nil
	}
	return names(found)
}
