package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/arrow-go/v18/parquet/schema"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
)

// DataFile is a file of a table.
type DataFile struct {
	Path  string // location, as position deletes name the file
	Rows  int64
	Bytes int64
	file  iceberg.DataFile
}

// FileOptions are hints about the columns of a data file.
type FileOptions struct {
	// Dictionary contains, for some columns, whether they get a dictionary. The first batch decides for the others.
	Dictionary map[string]bool
	// Memory is the approximate maximum size of the values of a row group, in bytes, and also of the open pages of all
	// columns. 0 means 32 MiB.
	Memory int
}

const defaultFileMemory = 32 << 20

// FileWriter writes one data file. The rows must be sorted by _roster_id. A FileWriter is not safe for concurrent use.
type FileWriter struct {
	dataset *Dataset
	opts    FileOptions
	file    *newFile
	count   *countingWriter
	w       *pqarrow.FileWriter // nil before the first batch
	rows    int64
	group   int  // bytes of the values in the row group
	ended   bool // the next Write begins a row group
	closed  bool
}

type countingWriter struct {
	w io.WriteCloser
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func (c *countingWriter) Close() error { return c.w.Close() }

// NewFile begins a data file in the attempt's directory. Only the first set of options is used.
func (d *Dataset) NewFile(dir string, opts ...FileOptions) (*FileWriter, error) {
	f, err := d.lake.files.create(d.dir, path.Join(d.folder, dir, uuid.NewString()+".parquet"))
	if err != nil {
		return nil, err
	}
	f.named = true
	w := &FileWriter{dataset: d, file: f, count: &countingWriter{w: f}}
	if len(opts) > 0 {
		w.opts = opts[0]
	}
	w.opts.Memory = cmp.Or(w.opts.Memory, defaultFileMemory)
	return w, nil
}

// Write appends the rows of rec. The schema of rec is the dataset's schema, with or without the columns of other
// programs.
func (w *FileWriter) Write(rec arrow.RecordBatch) error {
	if of, columns := rec.Schema(), w.dataset.columns; !of.Equal(columns.own) && !of.Equal(columns.all) {
		return fmt.Errorf("lake: a batch with the schema %s for a table with the schema %s", of, columns.all)
	}
	stored, err := w.dataset.columns.inStoredTypes(context.Background(), rec)
	if err != nil {
		return err
	}
	defer stored.Release()
	if w.w == nil {
		// The Arrow schema is not stored, because the Iceberg schema contains the same information, and other readers do
		// not need the Arrow schema. The first rows decide the encodings of the columns.
		if w.w, err = pqarrow.NewFileWriter(stored.Schema(), w.count, writerProperties(rec, w.opts), pqarrow.NewArrowWriterProperties()); err != nil {
			return err
		}
	}
	if w.ended {
		if err := w.w.NewBufferedRowGroupChecked(); err != nil {
			return err
		}
		w.ended, w.group = false, 0
	}
	w.rows += rec.NumRows()
	w.group += bytesOf(rec)
	w.ended = w.group >= w.opts.Memory
	return w.w.WriteBuffered(stored)
}

// bytesOf returns the approximate size of the values of a batch, in bytes.
func bytesOf(rec arrow.RecordBatch) int {
	n := 0
	for _, c := range rec.Columns() {
		switch c := c.(type) {
		case *array.String:
			n += len(c.ValueBytes()) + 4*c.Len()
		case *array.FixedSizeBinary:
			n += 16 * c.Len()
		default:
			n += 8 * c.Len()
		}
	}
	return n
}

// EndRowGroup ends the row group. The next Write begins another one.
func (w *FileWriter) EndRowGroup() { w.ended = w.w != nil }

// Bytes returns the number of compressed bytes written so far.
func (w *FileWriter) Bytes() int64 {
	if w.w == nil {
		return 0
	}
	return w.w.TotalCompressedBytes()
}

// Close ends the file, makes it durable, and returns its description for a commit. Close returns an error for a file
// without rows, and on a second call. After an error there is no file.
func (w *FileWriter) Close() (DataFile, error) {
	if w.closed {
		return DataFile{}, errors.New("lake: a data file was closed twice")
	}
	f, err := w.finish()
	if err != nil {
		w.Abort()
		return DataFile{}, fmt.Errorf("end %s: %w", w.file.path, err)
	}
	w.closed = true
	return f, nil
}

func (w *FileWriter) finish() (DataFile, error) {
	if w.rows == 0 {
		return DataFile{}, errors.New("a data file without rows")
	}
	if err := w.w.Close(); err != nil {
		return DataFile{}, err
	}
	if err := w.count.Close(); err != nil {
		return DataFile{}, err
	}
	meta, err := w.w.FileMetadata()
	if err != nil {
		return DataFile{}, err
	}
	t := w.dataset.table
	spec, err := w.dataset.spec()
	if err != nil {
		return DataFile{}, err
	}
	args := table.DataFileArgs{
		Spec: spec, Format: iceberg.ParquetFile, FilePath: w.file.location(), FileSize: w.count.n, Content: iceberg.EntryContentData,
		FormatVersion: t.Metadata().Version(), SortOrderID: w.dataset.columns.order,
	}
	if args.Schema, args.Metadata, args.Properties, err = undotted(w.dataset.columns.written, meta, t.Properties()); err != nil {
		return DataFile{}, err
	}
	df, err := table.DataFileFromMetadata(args)
	if err != nil {
		return DataFile{}, err
	}
	return dataFileOf(df), nil
}

// undotted returns what DataFileFromMetadata needs, with the field ids as the names of the columns. iceberg-go takes a
// column with a dot in its name for a nested one, and leaves out its bounds.
func undotted(of *iceberg.Schema, meta *metadata.FileMetaData, props iceberg.Properties) (*iceberg.Schema, *metadata.FileMetaData, iceberg.Properties, error) {
	props = maps.Clone(props)
	fields, ids := slices.Clone(of.Fields()), map[string]string{}
	for i, f := range fields {
		id := strconv.Itoa(f.ID)
		fields[i].Name, ids[f.Name] = id, id
		if mode, ok := props[table.MetricsModeColumnConfPrefix+"."+f.Name]; ok {
			props[table.MetricsModeColumnConfPrefix+"."+id] = mode
		}
	}
	renamed := *meta
	elements := slices.Clone(meta.FileMetaData.Schema) // the root, and below each element its children
	for i := 1; i < len(elements); i = afterElement(elements[i:], i) {
		e := *elements[i]
		e.Name, elements[i] = ids[e.Name], &e
	}
	root, err := schema.FromParquet(elements)
	if err != nil {
		return nil, nil, nil, err
	}
	renamed.Schema = schema.NewSchema(root.(*schema.GroupNode))
	orders := make([]parquet.ColumnOrder, meta.Schema.NumColumns())
	for i := range orders {
		orders[i] = meta.Schema.Column(i).ColumnOrder()
	}
	return iceberg.NewSchema(of.ID, fields...), &renamed, props, renamed.Schema.UpdateColumnOrders(orders)
}

// afterElement returns the index of the element that follows the first of the elements and its children, if the first
// has the index at.
func afterElement[E interface{ GetNumChildren() int32 }](elements []E, at int) int {
	left := 1
	for n, e := range elements {
		if left += int(e.GetNumChildren()) - 1; left == 0 {
			return at + n + 1
		}
	}
	return at + len(elements)
}

func dataFileOf(df iceberg.DataFile) DataFile {
	return DataFile{Path: df.FilePath(), Rows: df.Count(), Bytes: df.FileSizeBytes(), file: df}
}

// Abort removes the file. It does nothing after Close.
func (w *FileWriter) Abort() {
	if w.closed {
		return
	}
	w.closed = true
	w.file.abandon()
}
