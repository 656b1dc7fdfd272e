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
)

// rowReader reads columns of a data file as Arrow batches, in the order of the rows. The file stays open.
type rowReader struct {
	file    *stateFile
	foot    *footer
	schema  *arrow.Schema // schema of the batches
	columns []int         // leaf columns of the file that have the values, ascending
	at      []int         // for each field of the schema, the index in the columns read; -1 if the file has none
	o       rowOptions
	f       *sumFile
	reader  *file.Reader
	group   int                  // the next row group
	rows    pqarrow.RecordReader // reader of the row group before; nil at its end
	release func()               // returns the memory reserved for that row group; may be nil
	next    int64                // first row of the next batch, in the file
	unfit   map[int]string       // rows of the batch with a value that does not fit the type of a column; see column
	hidden  bitmap               // rows that are left out
}

// rowOptions select what a rowReader reads.
type rowOptions struct {
	from     int64 // the first row
	batch    int   // maximum rows of a batch
	parallel bool  // decode the columns in parallel
	few      bool  // few rows are read, so read as little as possible of the file
	dead     bool  // include deleted rows
	Reading
}

// Reading limits the memory of a reader.
type Reading struct {
	// Memory is the approximate memory of a reader in bytes, without one page of each column. 0 means 64 MiB. A row of
	// any size can be read.
	Memory int64
	// Large is called before a row group with very large rows is read, and the release function is called afterwards.
	// Optional.
	Large func(ctx context.Context) (release func(), err error)
}

const (
	defaultReading = 64 << 20
	// largeRow is the average size of the rows of a row group, in bytes, from which Large is called.
	largeRow = 256 << 10
)

// openRows opens the columns of a schema in a data file; false if there are no rows from the first row on.
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

// openGroup opens the next row group, at the next row.
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

// endGroup closes the open row group.
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

// sizes returns the sizes of the columns in a row group, in bytes: as stored in the file, and decoded.
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

// findColumns finds the file's columns of the schema by their field ids, and the index of each field among them.
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
		} else if !f.Nullable && !originColumn(f.Name) {
			return missingColumn(f.Name)
		}
	}
	if len(found) == 0 { // any column has the number of rows
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

// originColumn reports whether a column is only about the origin of a row, or can be computed. If another program dropped
// such a column and rewrote a file, its values are 0 until a run has adopted the file.
func originColumn(name string) bool {
	return name == ColContent || name == ColRun || name == ColFile || name == ColLine
}

// column returns a column of a batch in the type of the schema, because another program may have changed the type. A
// value that does not fit is null, and its row is added to r.unfit. If the file is older than the column, all values are
// null.
func (r *rowReader) column(ctx context.Context, all arrow.RecordBatch, i int, f arrow.Field) (arrow.Array, error) {
	n := int(all.NumRows())
	switch {
	case r.at[i] >= 0:
		return fitting(ctx, all.Column(r.at[i]), f.Type, 0, func(row int) {
			if r.unfit == nil {
				r.unfit = map[int]string{}
			}
			if r.unfit[row] == "" {
				r.unfit[row] = f.Name
			}
		})
	case f.Nullable:
		return array.MakeArrayOfNull(memory.DefaultAllocator, f.Type, n), nil
	}
	zero := array.NewData(f.Type, n, []*memory.Buffer{nil, memory.NewBufferBytes(make([]byte, n*f.Type.(arrow.FixedWidthDataType).Bytes()))}, nil, 0, 0)
	defer zero.Release()
	return array.MakeFromData(zero), nil
}

// read returns the next batch without the deleted rows, and the file's row after the batch. The batch may be empty.
// False means the end of the file. The caller releases the batch.
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
	r.unfit = nil
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

// without returns a batch without its deleted rows. The first row of the batch is the file's row first.
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

// leastBuffer and mostBuffer limit the buffer of a column that is not read at once. Checksums cover blocks, so a read
// covers at least one block.
const leastBuffer, mostBuffer = sumsBlock, 256 << 10

// properties returns the properties of a reader. If the stored columns of each row group take at most half of the
// reader's memory, the reader loads them at once, which is fastest. Otherwise it has a buffer for each column.
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

// columnsNamed returns the columns of the schema with the given names, in the order of the names. Without names, it
// returns all columns.
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
