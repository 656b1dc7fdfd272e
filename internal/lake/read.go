package lake

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// rowReader reads columns of a data file as Arrow batches, row after row. It holds the file open.
type rowReader struct {
	file   *stateFile
	schema *arrow.Schema // what batches have
	at     []int         // the reader's column for each of the schema's
	f      *sumFile
	rows   pqarrow.RecordReader
	next   int64 // the file's row that the next batch begins with
}

// rowOptions say how a rowReader reads.
type rowOptions struct {
	from     int64 // the first row
	batch    int   // rows of a batch, at most
	parallel bool  // decode the columns side by side
	// buffer makes the reader keep about that many bytes of each column and its current page in memory; 0 stands
	// for the column's whole part of a row group, which is faster.
	buffer int64
}

// openRows opens the columns of a schema in a data file; false when no row is left after the first.
func openRows(ctx context.Context, f *stateFile, schema *arrow.Schema, o rowOptions) (*rowReader, bool, error) {
	foot, err := f.footer()
	if err != nil || o.from >= f.Rows {
		return nil, false, err
	}
	r, osFile, err := openParquet(f.Path, foot.meta, file.WithReadProps(readProperties(o.buffer)))
	if err != nil {
		return nil, false, err
	}
	out := &rowReader{file: f, schema: schema, f: osFile, next: o.from}
	if err := out.begin(ctx, r, foot, o); err != nil {
		out.close()
		return nil, false, err
	}
	return out, true, nil
}

// begin finds the columns and goes to the first row.
func (r *rowReader) begin(ctx context.Context, pr *file.Reader, foot *footer, o rowOptions) error {
	columns, err := r.columns(foot)
	if err != nil {
		return err
	}
	ar, err := pqarrow.NewFileReader(pr, pqarrow.ArrowReadProperties{BatchSize: int64(o.batch), Parallel: o.parallel}, memory.DefaultAllocator)
	if err != nil {
		return err
	}
	group := foot.groupOf(o.from)
	var groups []int
	for g := group; g < len(foot.groups); g++ {
		groups = append(groups, g)
	}
	if r.rows, err = ar.GetRecordReader(ctx, columns, groups); err != nil {
		return err
	}
	if skip := o.from - foot.groups[group].first; skip > 0 {
		err = r.rows.SeekToRow(skip)
	}
	return err
}

// columns returns the file's columns of the schema, ascending, and notes where each field's is among them.
func (r *rowReader) columns(foot *footer) ([]int, error) {
	where := make(map[int]int, r.schema.NumFields()) // the file's column to the schema's
	for i, f := range r.schema.Fields() {
		c := foot.meta.Schema.ColumnIndexByName(f.Name)
		if c < 0 {
			return nil, fmt.Errorf("it has no column %q", f.Name)
		}
		where[c] = i
	}
	var columns []int
	r.at = make([]int, r.schema.NumFields())
	for c := range foot.meta.Schema.NumColumns() {
		if i, ok := where[c]; ok {
			r.at[i] = len(columns)
			columns = append(columns, c)
		}
	}
	return columns, nil
}

// read returns the next batch without the rows that are deleted, which may be none, and the file's row after it;
// false at the end. The caller releases the batch.
func (r *rowReader) read(ctx context.Context) (rec arrow.RecordBatch, next int64, ok bool, err error) {
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return nil, 0, false, err
		}
		if r.next != r.file.Rows {
			return nil, 0, false, fmt.Errorf("it ends after %d of %d rows", r.next, r.file.Rows)
		}
		return nil, 0, false, nil
	}
	all := r.rows.RecordBatch()
	cols := make([]arrow.Array, len(r.at))
	for i, f := range r.schema.Fields() {
		cols[i] = all.Column(r.at[i])
		if !arrow.TypeEqual(cols[i].DataType(), f.Type) {
			return nil, 0, false, fmt.Errorf("its column %q is a %s, not a %s", f.Name, cols[i].DataType(), f.Type)
		}
	}
	rec = array.NewRecordBatch(r.schema, cols, all.NumRows())
	first := r.next
	r.next += rec.NumRows()
	rec, err = without(ctx, rec, r.file.deleted, first)
	return rec, r.next, err == nil, err
}

// without returns a batch, whose first row is the file's row first, without the deleted rows.
func without(ctx context.Context, rec arrow.RecordBatch, deleted bitmap, first int64) (arrow.RecordBatch, error) {
	n := int(rec.NumRows())
	if deleted == nil || !deleted.any(first, first+int64(n)) {
		return rec, nil
	}
	defer rec.Release()
	b := array.NewBooleanBuilder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(n)
	for i := range n {
		b.UnsafeAppend(!deleted.has(first + int64(i)))
	}
	live := b.NewBooleanArray()
	defer live.Release()
	return compute.FilterRecordBatch(ctx, rec, live, compute.DefaultFilterOptions())
}

// readProperties are those of a reader that keeps that many bytes of each column in memory, all of them for 0.
func readProperties(buffer int64) *parquet.ReaderProperties {
	props := parquet.NewReaderProperties(memory.DefaultAllocator)
	props.BufferedStreamEnabled = buffer > 0
	if buffer > 0 {
		props.BufferSize = buffer
	}
	return props
}

func (r *rowReader) close() error {
	if r.rows != nil {
		r.rows.Release()
	}
	return r.f.Close()
}

// columnsNamed returns the part of the schema that the names say, in their order; all of it for no names.
func columnsNamed(schema *arrow.Schema, names []string) (*arrow.Schema, error) {
	if len(names) == 0 {
		return schema, nil
	}
	fields := make([]arrow.Field, len(names))
	seen := make(map[string]bool, len(names))
	for i, name := range names {
		found, ok := schema.FieldsByName(name)
		if !ok {
			return nil, fmt.Errorf("lake: the table has no column %q", name)
		}
		if seen[name] {
			return nil, errors.New("lake: column " + name + " is asked for twice")
		}
		seen[name] = true
		fields[i] = found[0]
	}
	return arrow.NewSchema(fields, nil), nil
}
