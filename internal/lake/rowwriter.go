package lake

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// rowWriter writes rows into data files, in the order of their keys.
type rowWriter struct {
	dataset *Dataset
	o       RewriteOptions
	builder *array.RecordBuilder // of Roster's columns
	added   *AddedValues         // values of the other columns
	memory  int                  // bytes of a row group; a batch has a quarter of them
	pending int                  // rows in the builder
	bytes   int                  // approximate bytes of the values in the builder
	group   int                  // rows in the current row group
	file    *FileWriter
	written []DataFile
}

func newRowWriter(d *Dataset, o RewriteOptions) *rowWriter {
	return &rowWriter{dataset: d, o: o, memory: int(max(min(o.Memory/4, defaultFileMemory), 1<<20)), builder: array.NewRecordBuilder(memory.DefaultAllocator, d.columns.own), added: d.NewAddedValues()}
}

// write appends the rows in [from, to) of a batch.
func (w *rowWriter) write(rec arrow.RecordBatch, from, to int) error {
	width := max(bytesOf(rec)/int(rec.NumRows()), 1)
	for from < to {
		n := min(to-from, rewriteRows-w.pending, max((w.memory/4-w.bytes)/width, 1))
		for i, b := range w.builder.Fields() {
			if err := appendRows(b, rec.Column(i), from, from+n); err != nil {
				return err
			}
		}
		for i := range w.added.pieces {
			w.added.add(i, rec.Column(len(w.builder.Fields())+i), from, from+n)
		}
		from += n
		w.pending, w.bytes = w.pending+n, w.bytes+n*width
		if w.pending == rewriteRows || w.bytes+width > w.memory/4 {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush writes the pending rows. It ends the row group and the file when they are large enough.
func (w *rowWriter) flush() (err error) {
	if w.pending == 0 {
		return nil
	}
	if w.file == nil {
		if w.file, err = w.dataset.NewFile(w.o.Dir, FileOptions{Memory: w.memory}); err != nil {
			return err
		}
	}
	own := w.builder.NewRecordBatch()
	defer own.Release()
	rec, err := w.added.Join(own)
	if err != nil {
		return err
	}
	defer rec.Release()
	w.group += w.pending
	w.pending, w.bytes = 0, 0
	if err := w.file.Write(rec); err != nil || w.group < rewriteGroup {
		return err
	}
	w.group = 0
	w.file.EndRowGroup()
	if w.file.Bytes() < w.o.FileSize {
		return nil
	}
	return w.endFile()
}

func (w *rowWriter) endFile() error {
	f, err := w.file.Close()
	if err != nil {
		return err
	}
	w.file = nil
	w.written = append(w.written, f)
	return nil
}

// end writes the pending rows and returns the files.
func (w *rowWriter) end() ([]DataFile, error) {
	err := w.flush()
	if err == nil && w.file != nil {
		err = w.endFile()
	}
	if err != nil {
		w.abort()
		return nil, err
	}
	w.builder.Release()
	return w.written, nil
}

func (w *rowWriter) abort() {
	if w.file != nil {
		w.file.Abort()
	}
	w.added.Release()
	w.builder.Release()
}

// appendRows appends the rows in [from, to) of a column to a builder of the same type.
func appendRows(b array.Builder, col arrow.Array, from, to int) error {
	switch b := b.(type) {
	case *array.StringBuilder:
		appendValues(b, col.(*array.String), from, to)
	case *array.Int64Builder:
		appendValues(b, col.(*array.Int64), from, to)
	case *array.Int32Builder:
		appendValues(b, col.(*array.Int32), from, to)
	case *array.Float64Builder:
		appendValues(b, col.(*array.Float64), from, to)
	case *array.TimestampBuilder:
		appendValues(b, col.(*array.Timestamp), from, to)
	case *array.Date32Builder:
		appendValues(b, col.(*array.Date32), from, to)
	case *array.BooleanBuilder:
		appendValues(b, col.(*array.Boolean), from, to)
	case *array.FixedSizeBinaryBuilder:
		appendValues(b, col.(*array.FixedSizeBinary), from, to)
	default:
		return fmt.Errorf("lake: a column of type %s", col.DataType())
	}
	return nil
}

// appender is a builder for values of type T. A valuer is an array of them.
type (
	appender[T any] interface {
		Append(T)
		AppendNull()
	}
	valuer[T any] interface {
		Value(int) T
		IsNull(int) bool
	}
)

func appendValues[T any](b appender[T], col valuer[T], from, to int) {
	for i := from; i < to; i++ {
		if col.IsNull(i) {
			b.AppendNull()
		} else {
			b.Append(col.Value(i))
		}
	}
}
