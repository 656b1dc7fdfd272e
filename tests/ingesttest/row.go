package ingesttest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"roster/internal/lake"
)

// Row is a row of a dataset.
type Row struct {
	ID      string // _roster_id
	Content int64  // _roster_row
	Run     int64  // _roster_run
	File    int32  // _roster_file
	Line    int64  // _roster_line
	// Values are the fields as JSON in their order. Dates are YYYY-MM-DD, datetimes RFC 3339 in UTC.
	Values []string
}

// String returns the values as a JSON array.
func (r Row) String() string { return "[" + strings.Join(r.Values, ", ") + "]" }

// Rows returns the live rows of the dataset, sorted by their values.
func (a *Audience) Rows() []Row {
	a.t.Helper()
	d := a.dataset()
	var rows []Row
	err := d.Scan(a.t.Context(), lake.ScanOptions{}, func(rec arrow.RecordBatch, _ lake.Position) error {
		rows = append(rows, rowsOf(rec, len(a.Fields))...)
		return nil
	})
	if err != nil {
		a.t.Fatal(err)
	}
	if d.Rows() != int64(len(rows)) {
		a.t.Errorf("the snapshot says that it has %d rows, a scan finds %d", d.Rows(), len(rows))
	}
	slices.SortFunc(rows, func(x, y Row) int { return cmp.Or(slices.Compare(x.Values, y.Values), cmp.Compare(x.ID, y.ID)) })
	return rows
}

// rowsOf returns the rows of a batch whose first columns are the fields.
func rowsOf(rec arrow.RecordBatch, fields int) []Row {
	rows := make([]Row, rec.NumRows())
	for c, f := range rec.Schema().Fields() {
		col := rec.Column(c)
		for i := range rows {
			switch f.Name {
			case "_roster_id":
				rows[i].ID = string(col.(*array.FixedSizeBinary).Value(i))
			case "_roster_row":
				rows[i].Content = col.(*array.Int64).Value(i)
			case "_roster_run":
				rows[i].Run = col.(*array.Int64).Value(i)
			case "_roster_file":
				rows[i].File = col.(*array.Int32).Value(i)
			case "_roster_line":
				rows[i].Line = col.(*array.Int64).Value(i)
			}
			if c < fields {
				rows[i].Values = append(rows[i].Values, jsonOf(col, i))
			}
		}
	}
	return rows
}

// jsonOf returns a value as JSON.
func jsonOf(col arrow.Array, i int) string {
	if col.IsNull(i) {
		return "null"
	}
	switch c := col.(type) {
	case *array.Timestamp:
		return Text(time.UnixMicro(int64(c.Value(i))))
	case *array.Date32:
		return Text(c.Value(i).ToTime().Format(time.DateOnly))
	case *array.String:
		return Text(c.Value(i))
	}
	return Text(col.GetOneForMarshal(i))
}

// Text formats a value as Rows does: nil, a string, a number, a boolean, an instant, or a value with a String method.
func Text(v any) string {
	switch x := v.(type) {
	case time.Time:
		v = x.UTC().Format(time.RFC3339Nano)
	case fmt.Stringer:
		v = x.String()
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(text.String(), "\n")
}
