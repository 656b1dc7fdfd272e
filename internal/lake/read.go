package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"roster/internal/audience"
)

// rowReader reads columns of a data file as Arrow batches, row after row. It holds the file open.
type rowReader struct {
	file    *stateFile
	foot    *footer
	schema  *arrow.Schema // what batches have
	columns []int         // where the file has the values, ascending
	at      []int         // for each field of the schema, which of the columns that are read it is; -1 if the file has none
	o       rowOptions
	f       *sumFile
	reader  *file.Reader
	group   int                  // the next row group
	rows    pqarrow.RecordReader // of the one before; nil when it ended
	release func()               // gives back what was reserved for that group; may be nil
	next    int64                // the file's row that the next batch begins with
	hidden  bitmap               // rows that are left out
}

// rowOptions say how a rowReader reads.
type rowOptions struct {
	from     int64 // the first row
	batch    int   // rows of a batch, at most
	parallel bool  // decode the columns side by side
	few      bool  // few rows are read: as little as can be of the file
	dead     bool  // deleted rows are read, too
	Reading
}

// Reading says in how much memory rows are read.
type Reading struct {
	// Memory is about how many bytes a reader holds, beside a page of each column; 0 stands for 64 MiB. A row is read
	// whatever its size.
	Memory int64
	// Large, when not nil, is called before rows of very many bytes are read, and what it returns when they are.
	Large func(ctx context.Context) (release func(), err error)
}

const (
	defaultReading = 64 << 20
	// largeRow is how long the rows of a row group are on average that Large is for.
	largeRow = 256 << 10
)

// openRows opens the columns of a schema in a data file; false when no row is left after the first.
func openRows(ctx context.Context, f *stateFile, schema *arrow.Schema, o rowOptions) (*rowReader, bool, error) {
	foot, err := f.footer()
	if err != nil || o.from >= f.Rows {
		return nil, false, err
	}
	o.Memory = cmp.Or(o.Memory, defaultReading)
	out := &rowReader{file: f, foot: foot, schema: schema, o: o, group: foot.groupOf(o.from), next: o.from}
	if err := out.findColumns(); err != nil {
		return nil, false, err
	}
	if !o.dead {
		out.hidden = foot.hidden(f.deleted)
	}
	props, err := out.properties()
	if err != nil {
		return nil, false, err
	}
	if out.reader, out.f, err = foot.open(file.WithReadProps(props)); err != nil {
		return nil, false, err
	}
	if err := out.openGroup(ctx); err != nil {
		out.close()
		return nil, false, err
	}
	return out, true, nil
}

// openGroup opens the next row group at the next row.
func (r *rowReader) openGroup(ctx context.Context) error {
	_, values, err := r.sizes(r.group)
	if err != nil {
		return err
	}
	row := max(values/max(r.foot.meta.RowGroup(r.group).NumRows(), 1), 1)
	if row > largeRow && r.o.Large != nil {
		if r.release, err = r.o.Large(ctx); err != nil {
			return err
		}
	}
	batch := min(max(r.o.Memory/8/row, 1), int64(r.o.batch))
	ar, err := pqarrow.NewFileReader(r.reader, pqarrow.ArrowReadProperties{BatchSize: batch, Parallel: r.o.parallel}, memory.DefaultAllocator)
	if err != nil {
		return err
	}
	if r.rows, err = ar.GetRecordReader(ctx, r.columns, []int{r.group}); err != nil {
		return err
	}
	if skip := r.next - r.foot.groups[r.group].first; skip > 0 {
		err = r.rows.SeekToRow(skip)
	}
	r.group++
	return err
}

// endGroup gives up the row group that is open.
func (r *rowReader) endGroup() {
	if r.rows != nil {
		r.rows.Release()
		r.rows = nil
	}
	if r.release != nil {
		r.release()
		r.release = nil
	}
}

// sizes returns how many bytes the columns take in a row group, as they lie in the file and as values.
func (r *rowReader) sizes(group int) (stored, values int64, err error) {
	rg := r.foot.meta.RowGroup(group)
	for _, c := range r.columns {
		chunk, err := rg.ColumnChunk(c)
		if err != nil {
			return 0, 0, err
		}
		stored += chunk.TotalCompressedSize()
		values += chunk.TotalUncompressedSize()
	}
	return stored, values, nil
}

// findColumns finds the file's columns of the schema by their field ids, and where each field's is among them.
func (r *rowReader) findColumns() error {
	type wanted struct {
		fileColumn
		field int
	}
	var found []wanted
	r.at = make([]int, r.schema.NumFields())
	for i, f := range r.schema.Fields() {
		r.at[i] = -1
		c, ok := r.foot.columns[idOfField(f)]
		if ok {
			found = append(found, wanted{c, i})
		} else if !f.Nullable {
			return missingColumn(f.Name)
		}
	}
	if len(found) == 0 { // the number of rows is that of any column
		found = append(found, wanted{fileColumn{leaves: []int{r.foot.id}}, -1})
	}
	slices.SortFunc(found, func(a, b wanted) int { return a.leaves[0] - b.leaves[0] })
	for n, w := range found {
		r.columns = append(r.columns, w.leaves...)
		if w.field >= 0 {
			r.at[w.field] = n
		}
	}
	return nil
}

// column returns a column of a batch in the type of the schema: another program may have promoted the type. A file that is older than
// a column has no values of it.
func (r *rowReader) column(ctx context.Context, all arrow.RecordBatch, i int, f arrow.Field) (arrow.Array, error) {
	if r.at[i] < 0 {
		return array.MakeArrayOfNull(memory.DefaultAllocator, f.Type, int(all.NumRows())), nil
	}
	col := all.Column(r.at[i])
	if arrow.TypeEqual(col.DataType(), f.Type) {
		col.Retain()
		return col, nil
	}
	cast, err := compute.CastArray(ctx, col, compute.SafeCastOptions(f.Type))
	if err != nil {
		return nil, audience.Errorf(audience.Impossible, "the column %q of the audience's table has values that are no %s, which another program wrote: they do not fit the audience's field; correct the values with that program", f.Name, f.Type)
	}
	return cast, nil
}

// read returns the next batch without the rows that are deleted, which may be none, and the file's row after it;
// false at the end. The caller releases the batch.
func (r *rowReader) read(ctx context.Context) (rec arrow.RecordBatch, next int64, ok bool, err error) {
	for !r.rows.Next() {
		if err := r.rows.Err(); err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, false, err
		}
		if r.group == len(r.foot.groups) {
			if r.next != r.file.Rows {
				return nil, 0, false, fmt.Errorf("it ends after %d of %d rows", r.next, r.file.Rows)
			}
			return nil, 0, false, nil
		}
		r.endGroup()
		if err := r.openGroup(ctx); err != nil {
			return nil, 0, false, err
		}
	}
	all := r.rows.RecordBatch()
	cols := make([]arrow.Array, len(r.at))
	for i, f := range r.schema.Fields() {
		if cols[i], err = r.column(ctx, all, i, f); err != nil {
			return nil, 0, false, err
		}
		defer cols[i].Release()
	}
	rec = array.NewRecordBatch(r.schema, cols, all.NumRows())
	first := r.next
	r.next += rec.NumRows()
	rec, err = without(ctx, rec, r.hidden, first)
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

// leastBuffer and mostBuffer bound the buffer of a column that is not read whole. Checksums are of blocks, which are read
// whole.
const leastBuffer, mostBuffer = sumsBlock, 256 << 10

// properties are those of a reader that has the columns' parts of a row group in memory as they lie in the file, which is
// fastest, when these take half of its memory at most; otherwise it has a buffer for each.
func (r *rowReader) properties() (*parquet.ReaderProperties, error) {
	props := parquet.NewReaderProperties(memory.DefaultAllocator)
	if r.o.few {
		props.BufferedStreamEnabled, props.BufferSize = true, leastBuffer
		return props, nil
	}
	for g := r.group; g < len(r.foot.groups) && !props.BufferedStreamEnabled; g++ {
		stored, _, err := r.sizes(g)
		if err != nil {
			return nil, err
		}
		props.BufferedStreamEnabled = stored > r.o.Memory/2
	}
	props.BufferSize = min(max(r.o.Memory/4/int64(len(r.columns)), leastBuffer), mostBuffer)
	return props, nil
}

func (r *rowReader) close() error {
	r.endGroup()
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
