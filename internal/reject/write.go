// Package reject writes and reads the file of a run's rejects: one Parquet file beside the dataset.
package reject

import (
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"roster/internal/audience"
	"roster/internal/lake"
)

// FileName is the name of the file in the directory of an attempt.
const FileName = "rejects.parquet"

// Keep is the retention period of the file.
const Keep = 30 * 24 * time.Hour

const (
	// groupRows and groupBytes are the maximum numbers of rejects and of their bytes in a row group. A reader has one
	// row group in memory.
	groupRows  = 16 << 10
	groupBytes = 4 << 20
)

// columnRaw is the column with the text of the rows.
const columnRaw = "raw"

var schema = arrow.NewSchema([]arrow.Field{
	{Name: "file", Type: arrow.BinaryTypes.String},
	{Name: "version", Type: arrow.BinaryTypes.String},
	{Name: "line", Type: arrow.PrimitiveTypes.Int64},
	{Name: "lines", Type: arrow.PrimitiveTypes.Int64},
	{Name: "byte_offset", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "column", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "code", Type: arrow.BinaryTypes.String},
	{Name: "reason", Type: arrow.BinaryTypes.String},
	{Name: columnRaw, Type: arrow.BinaryTypes.Binary, Nullable: true},
}, nil)

// Writer writes a file of rejects. It is not safe for concurrent use.
type Writer struct {
	w        *pqarrow.FileWriter
	builder  *array.RecordBuilder
	location string
	rows     int // of the open row group
	bytes    int
}

// Create creates the file in the directory of an attempt.
func Create(d *lake.Dataset, dir string) (*Writer, error) {
	f, location, err := d.CreateFile(dir, FileName)
	if err != nil {
		return nil, fmt.Errorf("create the rejects file: %w", err)
	}
	props := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd), parquet.WithMaxRowGroupLength(groupRows),
		parquet.WithDataPageSize(256<<10), parquet.WithBatchSize(64), parquet.WithDictionaryFor(columnRaw, false))
	w, err := pqarrow.NewFileWriter(schema, f, props, pqarrow.DefaultWriterProps())
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("create the rejects file: %w", err)
	}
	return &Writer{w: w, builder: array.NewRecordBuilder(memory.DefaultAllocator, schema), location: location}, nil
}

// Location returns the location of the file, for Read.
func (w *Writer) Location() string { return w.location }

// Size returns the approximate memory of a reject, in bytes.
func Size(raw []byte) int { return 200 + len(raw) }

// Add appends a reject.
func (w *Writer) Add(r audience.RejectedRow) error {
	text := func(i int, s string) { w.builder.Field(i).(*array.StringBuilder).Append(s) }
	number := func(i int, n int64) { w.builder.Field(i).(*array.Int64Builder).Append(n) }
	text(0, r.File)
	text(1, r.Version)
	number(2, r.Line)
	number(3, max(r.Lines, 1))
	if r.Offset >= 0 {
		number(4, r.Offset)
	} else {
		w.builder.Field(4).AppendNull()
	}
	if r.Column != "" {
		text(5, r.Column)
	} else {
		w.builder.Field(5).AppendNull()
	}
	text(6, r.Code)
	text(7, r.Reason)
	if r.Raw != nil {
		w.builder.Field(8).(*array.BinaryBuilder).Append(r.Raw)
	} else {
		w.builder.Field(8).AppendNull()
	}
	w.rows++
	if w.bytes += Size(r.Raw); w.rows == groupRows || w.bytes >= groupBytes {
		return w.EndGroup()
	}
	return nil
}

// EndGroup writes the rejects since the last call as a row group.
func (w *Writer) EndGroup() error {
	if w.rows == 0 {
		return nil
	}
	w.rows, w.bytes = 0, 0
	rec := w.builder.NewRecordBatch()
	defer rec.Release()
	if err := w.w.NewBufferedRowGroupChecked(); err != nil {
		return fmt.Errorf("write the rejects file: %w", err)
	}
	if err := w.w.WriteBuffered(rec); err != nil {
		return fmt.Errorf("write the rejects file: %w", err)
	}
	return nil
}

// Close ends the file and makes it durable. The caller has called EndGroup.
func (w *Writer) Close() error {
	if err := w.w.Close(); err != nil { // also closes the underlying file
		return fmt.Errorf("write the rejects file: %w", err)
	}
	return nil
}
