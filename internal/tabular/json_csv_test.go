package tabular

import (
	"bytes"
	"encoding/json"
	"roster/internal/audience"
	"slices"
	"testing"
)

// TestJSONAsCSV reads the same people as CSV, JSON lines and an array.
func TestJSONAsCSV(t *testing.T) {
	t.Parallel()
	const n = 2_000
	want := collectAs(t, CSV, string(people(n, false)), benchColumns, audience.Format{})
	for _, array := range []bool{false, true} {
		got := collectAs(t, JSON, string(jsonPeople(t, n, array)), benchColumns, audience.Format{})
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
	if err := json.Indent(&pretty, jsonPeople(t, n, true), "", "  "); err != nil {
		t.Fatal(err)
	}
	if got := collectAs(t, JSON, pretty.String(), benchColumns, audience.Format{}); len(got.Rows) != n || got.Rows[1].Line != 12 {
		t.Fatalf("%d rows of the pretty array, the second on line %d", len(got.Rows), got.Rows[1].Line)
	}
}
