package formats

import (
	"bytes"
	stdjson "encoding/json"
	"slices"
	"testing"

	"roster/internal/audience"
	"roster/internal/tabular/csv"
	"roster/internal/tabular/json"
	"roster/internal/tabular/tabulartest"
)

// TestJSONAsCSV reads the same people as CSV, JSON lines and an array.
func TestJSONAsCSV(t *testing.T) {
	t.Parallel()
	const n = 2_000
	want := tabulartest.CollectAs(t, csv.Read, string(tabulartest.People(n, false)), tabulartest.BenchColumns, audience.Format{})
	for _, array := range []bool{false, true} {
		got := tabulartest.CollectAs(t, json.Read, string(tabulartest.JSONPeople(t, n, array)), tabulartest.BenchColumns, audience.Format{})
		if len(got.Rows) != len(want.Rows) || len(got.Rejects) > 0 {
			t.Fatalf("%d rows and %d rejects", len(got.Rows), len(got.Rejects))
		}
		for i := range want.Rows {
			if !slices.Equal(got.Rows[i].Values, want.Rows[i].Values) {
				t.Fatalf("row %d: %q as JSON, %q as CSV", i, got.Rows[i].Values, want.Rows[i].Values)
			}
		}
	}
	var pretty bytes.Buffer
	if err := stdjson.Indent(&pretty, tabulartest.JSONPeople(t, n, true), "", "  "); err != nil {
		t.Fatal(err)
	}
	if got := tabulartest.CollectAs(t, json.Read, pretty.String(), tabulartest.BenchColumns, audience.Format{}); len(got.Rows) != n || got.Rows[1].Line != 12 {
		t.Fatalf("%d rows of the pretty array, the second on line %d", len(got.Rows), got.Rows[1].Line)
	}
}
