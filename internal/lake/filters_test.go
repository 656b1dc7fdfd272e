package lake_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"roster/internal/audience"
	"roster/internal/lake"
)

// TestFilters reads a table with every filter of iceberg-go. The definitions of the filters are in
// third_party/substrait.
func TestFilters(t *testing.T) {
	t.Parallel()
	w := setup(t, []audience.Field{{Name: "name", Type: audience.String}, {Name: "score", Type: audience.Number}})
	d := w.load(t)
	person := func(n uint64, name, score any) member {
		return member{id: key(n), row: int64(n), since: 1, seen: 2, values: []any{name, score}}
	}
	f := write(t, d, "r1-a", 9, person(1, "Ada", 1.5), person(2, "Grace", math.NaN()), person(3, nil, 2.5), person(4, "Adele", nil))
	commit(t, d, lake.Commit{Run: "r1", Dir: "r1-a", Add: []lake.DataFile{f}})
	tbl, err := w.Table(t.Context(), w.table)
	if err != nil {
		t.Fatal(err)
	}
	name, score := iceberg.Reference("name"), iceberg.Reference("score")
	for i, c := range []struct {
		filter iceberg.BooleanExpression
		want   string // the expected rows
	}{
		{iceberg.EqualTo(name, "Ada"), "1"},
		{iceberg.NotEqualTo(name, "Ada"), "2 4"},
		{iceberg.IsNull(name), "3"},
		{iceberg.NotNull(name), "1 2 4"},
		{iceberg.IsNaN(score), "2"},
		{iceberg.GreaterThan(score, 1.5), "3"},
		{iceberg.GreaterThanEqual(score, 1.5), "1 3"},
		{iceberg.LessThan(score, 2.5), "1"},
		{iceberg.LessThanEqual(score, 2.5), "1 3"},
		{iceberg.IsIn(name, "Ada", "Grace"), "1 2"},
		{iceberg.NewNot(iceberg.IsIn(name, "Ada", "Grace")), "3 4"},
		{iceberg.NewAnd(iceberg.NotNull(name), iceberg.NotNull(score)), "1 2"},
		{iceberg.NewOr(iceberg.IsNull(name), iceberg.IsNull(score)), "3 4"},
	} {
		_, records, err := tbl.Scan(table.WithRowFilter(c.filter), table.WithSelectedFields(lake.ColContent)).ToArrowRecords(t.Context())
		if err != nil {
			t.Fatal(i, err)
		}
		var rows []string
		for rec, err := range records {
			if err != nil {
				t.Fatal(i, c.filter, err)
			}
			for n := range int(rec.NumRows()) {
				rows = append(rows, rec.Column(0).ValueStr(n))
			}
		}
		slices.Sort(rows)
		if got := strings.Join(rows, " "); got != c.want {
			t.Errorf("%s: rows %s, want %s", fmt.Sprint(c.filter), got, c.want)
		}
	}
}
