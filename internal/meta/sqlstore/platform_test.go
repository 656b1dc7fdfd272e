package sqlstore_test

import (
	"path/filepath"
	"testing"

	"roster/internal/audience"
	"roster/internal/meta/sqlite"
	"roster/internal/meta/sqlstore"
)

// TestOlderFlows opens a database whose audiences have no flow ids and whose sandboxes have no states.
func TestOlderFlows(t *testing.T) {
	t.Parallel()
	path, db := older(t, "0003_platform.sql")
	for _, insert := range []string{
		`INSERT INTO sandboxes (num, id, org, name, title, type, is_default, created_at) VALUES (1, 's', 'org', 'prod', 'P', 'production', TRUE, 0)`,
		`INSERT INTO audiences (id, num, org, sandbox, task_id, custom_id, name, description, fields, source, connection_id, ttl_days, labels, tags,
			audience_type, origin_name, namespace, profile_ingestion, created_by, created_at, updated_by, updated_at, last_run, members, refreshed_at,
			last_ingested_at) VALUES ('a', 1, 'org', 'prod', '', '', 'n', '', '[]', '{}', '', 30, '[]', '[]', 'people', 'CUSTOM_UPLOAD', 'n', TRUE,
			'c', 0, 'c', 0, '', 0, 0, 0)`,
	} {
		if _, err := db.Exec(insert); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	scope := audience.Scope{Org: "org", Sandbox: "prod"}
	if a, err := s.AudienceByFlow(t.Context(), scope, audience.FlowID("a")); err != nil || a.ID != "a" {
		t.Errorf("%+v, %v", a, err)
	}
	if sb, err := s.Sandbox(t.Context(), scope); err != nil || sb.State != audience.SandboxActive {
		t.Errorf("%+v, %v", sb, err)
	}
}

// TestFlowPlan checks that an index finds the audience of a flow.
func TestFlowPlan(t *testing.T) {
	t.Parallel()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "roster.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	plan := planOf(t, s.DB(), sqlstore.AudienceByFlow, []any{"f", "org", "prod"})
	if want := "SEARCH audiences USING INDEX audiences_flow (org=? AND sandbox=? AND flow_id=?)"; len(plan) != 1 || plan[0] != want {
		t.Errorf("plan %q, want %q", plan, want)
	}
}
