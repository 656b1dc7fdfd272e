package lake

import (
	"regexp"
	"testing"

	"roster/internal/audience"
)

func TestTableOf(t *testing.T) {
	t.Parallel()
	seen := map[string]audience.Scope{}
	safe := regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	for _, s := range []audience.Scope{
		{Org: "ABC@RosterOrg", Sandbox: "prod"}, {Org: "ABC_RosterOrg", Sandbox: "prod"}, {Org: "ABC_40RosterOrg", Sandbox: "prod"},
		{Org: "a", Sandbox: "40@"}, {Org: "a@", Sandbox: "40"}, {Org: "a_", Sandbox: "b"}, {Org: "a", Sandbox: "_b"}, {Org: "a__b", Sandbox: "c"}, {Org: "a", Sandbox: "b__c"},
		{Org: "../..", Sandbox: "x/y"}, {Org: "", Sandbox: "a"}, {Org: "a", Sandbox: ""}, {Org: "å", Sandbox: "b"}, {Org: "a.b", Sandbox: "c"}, {Org: "a-b", Sandbox: "c"},
	} {
		id := TableOf(s, "0b6f3a57")
		if !safe.MatchString(id.Namespace) || id.Name != "0b6f3a57" {
			t.Errorf("%+v: %+v", s, id)
		}
		if other, taken := seen[id.Namespace]; taken {
			t.Errorf("%+v and %+v are both %s", s, other, id.Namespace)
		}
		seen[id.Namespace] = s
	}
}
