package sqlstore_test

import (
	"path/filepath"
	"strings"
	"testing"

	"roster/internal/audience"
	"roster/internal/meta/sqlite"
	"roster/internal/meta/sqlstore"
)

// TestAuditPlans checks that a page of the audit log is read in order from the index of the most selective filter.
func TestAuditPlans(t *testing.T) {
	t.Parallel()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "roster.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	after := &audience.Position{}
	for _, c := range []struct {
		query audience.AuditQuery
		plan  string
	}{
		{audience.AuditQuery{}, "audit_list (org=?)"},
		{audience.AuditQuery{After: after}, "audit_list (org=? AND (at,id)<(?,?))"},
		{audience.AuditQuery{Sandbox: "prod", After: after}, "audit_sandbox (org=? AND sandbox=? AND (at,id)<(?,?))"},
		{audience.AuditQuery{Object: "o"}, "audit_object (org=? AND object=?)"},
		{audience.AuditQuery{ClientID: "c"}, "audit_client (org=? AND client_id=?)"},
		{audience.AuditQuery{RequestID: "r"}, "audit_request (org=? AND request_id=?)"},
	} {
		statement, args := sqlstore.AuditPage("org", c.query)
		if plan := planOf(t, s.DB(), statement, args); plan[0] != "SEARCH audit USING INDEX "+c.plan || strings.Contains(strings.Join(plan, ""), "TEMP B-TREE") {
			t.Errorf("%+v: plan %q, want %s", c.query, plan, c.plan)
		}
	}
}
