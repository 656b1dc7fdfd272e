package tabulartest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"roster/internal/audience"
	"roster/internal/tabular"
)

// Stored returns a stored file with the given bytes.
func Stored(b []byte) tabular.File {
	return tabular.File{Size: int64(len(b)), Open: func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		if length < 0 {
			length = int64(len(b)) - offset
		}
		if offset < 0 || length < 0 || offset+length > int64(len(b)) {
			return nil, fmt.Errorf("the range %d+%d is not in the file", offset, length)
		}
		return io.NopCloser(bytes.NewReader(b[offset : offset+length])), nil
	}}
}

// ParquetOf writes the rows of a record to a Parquet file.
func ParquetOf(t testing.TB, rec arrow.RecordBatch, rows int64, opts ...parquet.WriterProperty) []byte {
	t.Helper()
	var b bytes.Buffer
	props := parquet.NewWriterProperties(append([]parquet.WriterProperty{parquet.WithMaxRowGroupLength(rows)}, opts...)...)
	table := array.NewTableFromRecords(rec.Schema(), []arrow.RecordBatch{rec})
	if err := pqarrow.WriteTable(table, &b, rows, props, pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema())); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Column makes a record with one column v from values in JSON.
func Column(t testing.TB, typ arrow.DataType, values string) arrow.RecordBatch {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{{Name: "v", Type: typ, Nullable: true}}, nil)
	arr, _, err := array.FromJSON(memory.DefaultAllocator, typ, strings.NewReader(values))
	if err != nil {
		t.Fatal(err)
	}
	return array.NewRecordBatch(schema, []arrow.Array{arr}, int64(arr.Len()))
}

// Values lists the values of a file's only column, in the order of its rows, and the codes of its rejects.
func (r Result) Values() string {
	if r.Err != "" {
		return r.Err
	}
	out := make([]string, len(r.Rows)+len(r.Rejects))
	for _, x := range r.Rows {
		out[x.Line-1] = x.Values[0]
	}
	for _, x := range r.Rejects {
		out[x.Line-1] = x.Code
	}
	return strings.Join(out, " ")
}

var PeopleColumns = []tabular.Column{{Name: "email", Type: audience.String, Required: true, Primary: true}, {Name: "points", Type: audience.Long}}

// PeopleRecord makes a record of the columns email and points, both text; empty texts are null.
func PeopleRecord(t testing.TB, emails, points []string) arrow.RecordBatch {
	t.Helper()
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "Email", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "points", Type: arrow.BinaryTypes.String, Nullable: true}}, nil))
	for i, values := range [][]string{emails, points} {
		for _, v := range values {
			if field := b.Field(i).(*array.StringBuilder); v == "" {
				field.AppendNull()
			} else {
				field.Append(v)
			}
		}
	}
	return b.NewRecordBatch()
}
