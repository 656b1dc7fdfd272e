package sqlstore_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"roster/internal/audience"
	"roster/internal/meta/sqlite"
	"roster/internal/meta/sqlstore"
)

// TestAudiencePlans checks that lists of audiences are never sorted, read from the beginning or filtered row by row,
// which would be slow with many audiences.
func TestAudiencePlans(t *testing.T) {
	t.Parallel()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "roster.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	after := &audience.Position{}
	some := &audience.Grants{"core/C1", "custom/a"}
	is := func(property string) []audience.AudienceFilter {
		return []audience.AudienceFilter{{Property: property, Value: "x"}}
	}
	entity := func(value string) []audience.AudienceFilter {
		return []audience.AudienceFilter{{Property: "entityType", Value: value}}
	}
	const inScope = "(org=? AND sandbox=?"
	for _, c := range []struct {
		statement func(audience.Scope, audience.AudienceQuery) (string, []any, error)
		query     audience.AudienceQuery
		plan      string
	}{
		{sqlstore.AudiencePage, audience.AudienceQuery{}, "SEARCH audiences USING INDEX audiences_list " + inScope + ")"},
		{sqlstore.AudiencePage, audience.AudienceQuery{After: after}, "SEARCH audiences USING INDEX audiences_list " + inScope + " AND (created_at,id)>(?,?))"},
		{sqlstore.AudiencePage, audience.AudienceQuery{After: after, Descending: true}, "SEARCH audiences USING INDEX audiences_list " + inScope + " AND (created_at,id)<(?,?))"},
		{sqlstore.AudiencePage, audience.AudienceQuery{After: after, SortBy: audience.SortUpdated}, "SEARCH audiences USING INDEX audiences_updated " + inScope + " AND (updated_at,id)>(?,?))"},
		{sqlstore.AudiencePage, audience.AudienceQuery{After: after, SortBy: audience.SortName}, "SEARCH audiences USING INDEX audiences_named " + inScope + " AND (name_key,id)>(?,?))"},
		{sqlstore.AudiencePage, audience.AudienceQuery{SortBy: audience.SortName, Descending: true}, "SEARCH audiences USING INDEX audiences_named " + inScope + ")"},
		{sqlstore.AudiencePage, audience.AudienceQuery{Filters: is("id")}, "SEARCH audiences USING INDEX sqlite_autoindex_audiences_1 (id=?)"},
		{sqlstore.AudiencePage, audience.AudienceQuery{Filters: is("name")}, "SEARCH audiences USING INDEX sqlite_autoindex_audiences_1 (id=?)"},
		{sqlstore.AudiencePage, audience.AudienceQuery{Filters: is("audienceId")}, "SEARCH audiences USING INDEX sqlite_autoindex_audiences_1 (id=?)"},
		{sqlstore.AudiencePage, audience.AudienceQuery{SeenBy: some}, "SEARCH audiences USING INDEX audiences_list " + inScope + ")"},
		{sqlstore.AudiencePage, audience.AudienceQuery{SeenBy: some, After: after, SortBy: audience.SortName}, "SEARCH audiences USING INDEX audiences_named " + inScope + " AND (name_key,id)>(?,?))"},
		{sqlstore.AudienceCount, audience.AudienceQuery{NameContains: "x", SeenBy: some}, "SEARCH audiences USING COVERING INDEX audiences_list " + inScope + ")"},
		{sqlstore.AudienceCount, audience.AudienceQuery{NameContains: "x"}, "SEARCH audiences USING COVERING INDEX audiences_list " + inScope + ")"},
		{sqlstore.AudienceCount, audience.AudienceQuery{Filters: append(append(is("namespace"), is("lifecycleState")...), append(is("createdBy"), is("originName")...)...)},
			"SEARCH audiences USING COVERING INDEX audiences_list " + inScope + ")"},
		{sqlstore.AudiencePage, audience.AudienceQuery{Filters: entity(audience.EntityPeople), After: after}, "SEARCH audiences USING INDEX audiences_list " + inScope + " AND (created_at,id)>(?,?))"},
		{sqlstore.AccountCount, audience.AudienceQuery{Filters: entity(audience.EntityPeople), SeenBy: some}, "SEARCH audiences USING COVERING INDEX audiences_accounts " + inScope + ")"},
		{sqlstore.AudienceCount, audience.AudienceQuery{Filters: is("audienceType")}, "SEARCH audiences USING COVERING INDEX audiences_list " + inScope + ")"},
	} {
		statement, args, err := c.statement(audience.Scope{Org: "org", Sandbox: "prod"}, c.query)
		if err != nil {
			t.Fatal(err)
		}
		if plan := planOf(t, s.DB(), statement, args); plan[0] != c.plan || strings.Contains(strings.Join(plan, ""), "TEMP B-TREE") {
			t.Errorf("%s\nplan %q\nwant %q", statement, plan, c.plan)
		}
	}
}

// planOf returns SQLite's plan of a statement, step by step.
func planOf(t *testing.T, db *sql.DB, statement string, args []any) []string {
	t.Helper()
	statement = strings.NewReplacer("$", "?", ` COLLATE "C"`, "").Replace(statement)
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+statement, args...)
	if err != nil {
		t.Fatal(statement, err)
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil || len(steps) == 0 {
		t.Fatal(statement, steps, err)
	}
	return steps
}
