package lake_test

import (
	"slices"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// TestMetadata hides a column that another engine has renamed and used to sort the table.
func TestMetadata(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	foreign, err := w.Table(t.Context(), w.table)
	if err != nil {
		t.Fatal(err)
	}
	tx := foreign.NewTransaction()
	if err := tx.UpdateSchema(true, false).RenameColumn([]string{"name"}, "called").Commit(); err != nil {
		t.Fatal(err)
	}
	sorted, err := table.NewSortOrder(1, []table.SortField{{SourceIDs: []int{1}, Transform: iceberg.IdentityTransform{}, Direction: table.SortASC, NullOrder: table.NullsFirst}})
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.ReplaceSortOrder(sorted); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, hidden := range [][]string{nil, {"name"}} {
		text, err := w.load(t).Metadata(hidden)
		if err != nil {
			t.Fatal(err)
		}
		m, err := table.ParseMetadataBytes(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		seen := len(hidden) == 0
		for _, s := range m.Schemas() {
			if has := slices.ContainsFunc(s.Fields(), func(f iceberg.NestedField) bool { return f.ID == 1 }); has != seen {
				t.Errorf("without %q: %s", hidden, s)
			}
		}
		if _, named := m.Properties()[table.DefaultNameMappingKey]; named && !seen || m.SortOrder().IsUnsorted() == seen {
			t.Errorf("without %q: %s", hidden, text)
		}
	}
}
