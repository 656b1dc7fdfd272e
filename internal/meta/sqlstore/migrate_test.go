package sqlstore_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roster/internal/audience"
	"roster/internal/meta/sqlite"
)

// older creates a database in the state before the migration of that name.
func older(t *testing.T, before string) (path string, db *sql.DB) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "roster.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`CREATE TABLE schema_versions (version BIGINT PRIMARY KEY)`); err != nil {
		t.Fatal(err)
	}
	for i, file := range files {
		if filepath.Base(file) >= before {
			break
		}
		script, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(strings.ReplaceAll(string(script), ` COLLATE "C"`, "")); err != nil {
			t.Fatal(file, err)
		}
		if _, err := db.Exec(`INSERT INTO schema_versions VALUES (?)`, i+1); err != nil {
			t.Fatal(err)
		}
	}
	return path, db
}

// TestOlderAudiences opens a database whose audiences have no states and no search columns.
func TestOlderAudiences(t *testing.T) {
	t.Parallel()
	path, db := older(t, "0004_audiences.sql")
	for i, name := range []string{"ÅSA", "deleted"} {
		_, err := db.Exec(`INSERT INTO audiences (id, num, org, sandbox, task_id, custom_id, name, description, fields, source, connection_id, ttl_days,
			labels, tags, audience_type, origin_name, namespace, profile_ingestion, created_by, created_at, updated_by, updated_at, last_run, members,
			refreshed_at, last_ingested_at, deleted)
			VALUES (?, ?, 'org', 'prod', '', '', ?, 'Été', '[]', '{}', '', 30, '[]', '[]', 'people', 'CUSTOM_UPLOAD', 'n', TRUE, 'c', 0, 'c', 0, '', 0, 0, 0, ?)`,
			name, i, name, name == "deleted")
		if err != nil {
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
	for _, q := range []audience.AudienceQuery{{Limit: 2}, {Limit: 2, NameContains: "åsa"}, {Limit: 2, DescriptionContains: "ÉT"}} {
		list, total, err := s.Audiences(t.Context(), audience.Scope{Org: "org", Sandbox: "prod"}, q)
		if err != nil || total != 1 || len(list) != 1 || list[0].State != audience.StatePublished {
			t.Errorf("%+v finds %d: %+v, %v", q, total, list, err)
		}
	}
}

// TestOlderLabels opens a database whose clients have no labels and whose audiences have no searchable labels.
func TestOlderLabels(t *testing.T) {
	t.Parallel()
	path, db := older(t, "0005_governance.sql")
	if _, err := db.Exec(`INSERT INTO clients (id, org, name, secret_hash, roles, created_at) VALUES ('c', 'org', 'n', '"AA=="', '{"*":"admin"}', 7)`); err != nil {
		t.Fatal(err)
	}
	for i, labels := range []string{`["core/C1","core/C1"]`, `null`, `[]`, `["core/C1","custom/x"]`} {
		_, err := db.Exec(`INSERT INTO audiences (id, num, org, sandbox, task_id, custom_id, name, description, fields, source, connection_id, ttl_days,
			labels, tags, audience_type, origin_name, namespace, profile_ingestion, created_by, created_at, updated_by, updated_at, last_run, members,
			refreshed_at, last_ingested_at)
			VALUES (?, ?, 'org', 'prod', '', '', 'name', '', '[]', '{}', '', 30, ?, '[]', 'people', 'CUSTOM_UPLOAD', 'n', TRUE, 'c', 0, 'c', 0, '', 0, 0, 0)`, i, i, labels)
		if err != nil {
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
	if c, err := s.Client(t.Context(), "c"); err != nil || !c.Grants.All() || !c.UpdatedAt.Equal(c.CreatedAt) {
		t.Errorf("%+v, %v", c, err)
	}
	for _, want := range []struct {
		grants audience.Grants
		total  int
	}{{nil, 2}, {audience.Grants{"core/C1"}, 3}, {audience.Grants{"core/C1", "custom/x"}, 4}} {
		list, total, err := s.Audiences(t.Context(), audience.Scope{Org: "org", Sandbox: "prod"}, audience.AudienceQuery{Limit: 9, SeenBy: &want.grants})
		if err != nil || total != want.total || len(list) != total {
			t.Errorf("with %q: %d of %d, %v", want.grants, len(list), total, err)
		}
	}
}
