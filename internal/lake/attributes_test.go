package lake_test

import (
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"roster/internal/audience"
	"roster/internal/lake"
)

// checkAttributes checks what the metadata tell other engines.
func checkAttributes(t *testing.T, w *world, audience string) {
	t.Helper()
	tbl, err := w.Table(t.Context(), w.table)
	if err != nil {
		t.Fatal(err)
	}
	key, ok := tbl.Schema().FindFieldByName(lake.ColID)
	if ids := tbl.Schema().IdentifierFieldIDs; !ok || len(ids) != 1 || ids[0] != key.ID {
		t.Errorf("identifier %v, want %d", ids, key.ID)
	}
	if o := tbl.SortOrder(); o.Len() != 1 || o.Field(0).SourceIDs[0] != key.ID || o.Field(0).Direction != table.SortASC {
		t.Errorf("sort order %v", tbl.SortOrder())
	}
	props := tbl.Properties()
	if props["roster.audience"] != audience || props["comment"] != "Members of the audience "+audience {
		t.Errorf("properties %v", props)
	}
	if want := `[{"names":["name"],"field-id":1},{"names":["_roster_id"],"field-id":2}`; len(props["schema.name-mapping.default"]) < len(want) || props["schema.name-mapping.default"][:len(want)] != want {
		t.Errorf("name mapping %s", props["schema.name-mapping.default"])
	}
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	checkAttributes(t, w, "people")
	f := write(t, w.load(t), "r1-a", 9, named(1, "Ada"))
	if id := lake.SortOrderID(f); id == nil || *id != 1 {
		t.Errorf("the sort order of a data file is %v", id)
	}
	commit(t, w.load(t), lake.Commit{Run: "r1", Add: []lake.DataFile{f}})
	if err := w.Describe(t.Context(), w.table, "customers"); err != nil {
		t.Fatal(err)
	}
	checkAttributes(t, w, "customers")
	was := w.load(t).MetadataLocation()
	if err := w.Describe(t.Context(), w.table, "customers"); err != nil || w.load(t).MetadataLocation() != was {
		t.Error("a table changed without need", err)
	}
	if got := names(t, w.load(t)); got != "Ada" {
		t.Errorf("names %q", got)
	}
}

// Describe brings a table of an earlier version up to date.
func TestDescribeOlder(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	commit(t, w.load(t), lake.Commit{Run: "r1", Add: []lake.DataFile{write(t, w.load(t), "r1-a", 9, named(1, "Ada"))}})
	if err := w.Bare(t.Context(), w.table); err != nil {
		t.Fatal(err)
	}
	f := write(t, w.load(t), "r2-a", 9, named(2, "Grace"))
	if id := lake.SortOrderID(f); id != nil {
		t.Errorf("the sort order of a data file is %d, and the table has none", *id)
	}
	commit(t, w.load(t), lake.Commit{Run: "r2", Add: []lake.DataFile{f}})
	if err := w.Describe(t.Context(), w.table, "people"); err != nil {
		t.Fatal(err)
	}
	checkAttributes(t, w, "people")
	commit(t, w.load(t), lake.Commit{Run: "r3", Add: []lake.DataFile{write(t, w.load(t), "r3-a", 9, named(3, "Alan"))}})
	if got := names(t, w.load(t)); got != "Ada Grace Alan" && len(got) != 14 {
		t.Errorf("names %q", got)
	}
}

// What another program has set stays.
func TestDescribeForeign(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	tbl, err := w.Table(t.Context(), w.table)
	if err != nil {
		t.Fatal(err)
	}
	order, err := table.NewSortOrder(2, []table.SortField{{SourceIDs: []int{1}, Transform: iceberg.IdentityTransform{}, Direction: table.SortDESC, NullOrder: table.NullsLast}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Update(t.Context(), tbl, table.NewAddSortOrderUpdate(&order), table.NewSetDefaultSortOrderUpdate(-1),
		table.NewSetPropertiesUpdate(iceberg.Properties{"comment": "mine"})); err != nil {
		t.Fatal(err)
	}
	was := w.load(t).MetadataLocation()
	if err := w.Describe(t.Context(), w.table, "people"); err != nil || w.load(t).MetadataLocation() != was {
		t.Errorf("Describe changed the table: %v", err)
	}
	// The rows are sorted by key, whatever order other engines shall write.
	if id := lake.SortOrderID(write(t, w.load(t), "r1-a", 9, named(1, "Ada"))); id == nil || *id != 1 {
		t.Errorf("the sort order of a data file is %v", id)
	}
}

// Columns with dots in their names have bounds.
func TestBoundsOfDottedNames(t *testing.T) {
	t.Parallel()
	w := setup(t, []audience.Field{{Name: "city.code", Type: audience.String}, {Name: "a.b.c", Type: audience.Long}, {Name: "plain", Type: audience.String}})
	f := write(t, w.load(t), "r1-a", 9, member{id: key(1), values: []any{"C7", int64(3), "x"}}, member{id: key(2), values: []any{"C1", int64(5), "y"}})
	lower, upper := lake.Bounds(f)
	if string(lower[1]) != "C1" || string(upper[1]) != "C7" || len(lower[2]) != 8 || lower[2][0] != 3 || upper[2][0] != 5 || string(upper[3]) != "y" || len(lower) != 10 {
		t.Errorf("bounds %v to %v", lower, upper)
	}
}
