package lake

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
)

// bitmap is a set of positions of a data file; nil is the empty one.
type bitmap []uint64

func (b bitmap) set(pos int64) { b[pos>>6] |= 1 << (pos & 63) }

func (b bitmap) has(pos int64) bool { return b != nil && b[pos>>6]&(1<<(pos&63)) != 0 }

// any reports whether a position from from up to to is in the set.
func (b bitmap) any(from, to int64) bool {
	for ; from < to && from&63 != 0; from++ {
		if b.has(from) {
			return true
		}
	}
	for ; from+64 <= to; from += 64 {
		if b[from>>6] != 0 {
			return true
		}
	}
	for ; from < to; from++ {
		if b.has(from) {
			return true
		}
	}
	return false
}

// deleteGroup is how many position deletes make a row group: little, so that whoever looks for one row reads little.
const deleteGroup = 1 << 16

// writeDeletes writes one position delete file for all data files that lose rows. The positions are sorted.
func (d *Dataset) writeDeletes(dir string, deletes map[string][]int64) (iceberg.DataFile, error) {
	f, err := d.lake.files.create(d.dir, path.Join("data", dir, "deletes-"+uuid.NewString()+".parquet"))
	if err != nil {
		return nil, err
	}
	f.named = true
	out := &countingWriter{w: f}
	schema := table.PositionalDeleteArrowSchema
	pos := schema.Field(1).Name
	w, err := pqarrow.NewFileWriter(schema, out, parquet.NewWriterProperties(
		parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCompressionLevel(1),
		parquet.WithMaxRowGroupLength(deleteGroup), parquet.WithDictionaryFor(pos, false),
		parquet.WithEncodingFor(pos, parquet.Encodings.DeltaBinaryPacked),
	), pqarrow.NewArrowWriterProperties())
	if err != nil {
		f.abandon()
		return nil, err
	}
	if err := appendDeletes(w, deletes); err != nil {
		f.abandon()
		return nil, err
	}
	if err := errors.Join(w.Close(), out.Close()); err != nil {
		return nil, err
	}
	meta, err := w.FileMetadata()
	if err != nil {
		return nil, err
	}
	return table.DataFileFromMetadata(table.DataFileArgs{
		Schema: iceberg.PositionalDeleteSchema, Spec: d.table.Spec(), Format: iceberg.ParquetFile, Metadata: meta,
		FilePath: f.location(), FileSize: out.n, Content: iceberg.EntryContentPosDeletes, Properties: d.table.Properties(), FormatVersion: 2,
	})
}

// appendDeletes writes the deletes in the order that Iceberg asks for: by file and position.
func appendDeletes(w *pqarrow.FileWriter, deletes map[string][]int64) error {
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.PositionalDeleteArrowSchema)
	defer b.Release()
	paths, positions := b.Field(0).(*array.StringBuilder), b.Field(1).(*array.Int64Builder)
	flush := func() error {
		rec := b.NewRecordBatch()
		defer rec.Release()
		return w.WriteBuffered(rec)
	}
	for _, path := range slices.Sorted(maps.Keys(deletes)) {
		for _, pos := range deletes[path] {
			paths.Append(path)
			positions.Append(pos)
			if positions.Len() == 1<<16 {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	return flush()
}

// readDeletes marks the rows that a position delete file names; at are the indexes of the state's files by path.
func (s *State) readDeletes(location string, at map[string]int) error {
	return s.in.eachDelete(location, nil, func(paths []parquet.ByteArray, positions []int64) error {
		return s.markDeleted(paths, positions, at)
	})
}

// eachDelete calls fn with the position deletes of a file, those of row groups that want refuses left out.
func (fs files) eachDelete(location string, want func(rg *metadata.RowGroupMetaData, path, pos int) bool, fn func(paths []parquet.ByteArray, positions []int64) error) (err error) {
	defer recovered(&err)
	r, f, err := fs.openParquet(location, nil)
	if err != nil {
		return err
	}
	defer f.Close()
	schema := r.MetaData().Schema
	path := schema.ColumnIndexByName(table.PositionalDeleteArrowSchema.Field(0).Name)
	pos := schema.ColumnIndexByName(table.PositionalDeleteArrowSchema.Field(1).Name)
	if path < 0 || pos < 0 {
		return errors.New("it has no columns of paths and positions")
	}
	for g := range r.NumRowGroups() {
		if want != nil && !want(r.MetaData().RowGroup(g), path, pos) {
			continue
		}
		if err := eachDeleteOf(r.RowGroup(g), path, pos, fn); err != nil {
			return err
		}
	}
	return nil
}

func eachDeleteOf(rg *file.RowGroupReader, path, pos int, fn func(paths []parquet.ByteArray, positions []int64) error) error {
	const batch = 1 << 14
	paths := make([]parquet.ByteArray, batch)
	positions := make([]int64, batch)
	pathCol, err := columnOf[*file.ByteArrayColumnChunkReader](rg, path)
	if err != nil {
		return err
	}
	posCol, err := columnOf[*file.Int64ColumnChunkReader](rg, pos)
	if err != nil {
		return err
	}
	for left := rg.NumRows(); left > 0; {
		n, _, err := pathCol.ReadBatch(min(left, batch), paths, nil, nil)
		if err != nil || n == 0 {
			return errors.Join(err, errShort(n))
		}
		if err := readFull(posCol, positions[:n]); err != nil {
			return err
		}
		if err := fn(paths[:n], positions[:n]); err != nil {
			return err
		}
		left -= n
	}
	return nil
}

func (s *State) markDeleted(paths []parquet.ByteArray, positions []int64, at map[string]int) error {
	var last parquet.ByteArray
	var f *stateFile
	for i, p := range paths {
		if last == nil || !bytes.Equal(p, last) {
			last, f = p, nil
			if n, ok := at[string(p)]; ok {
				f = s.data[n]
			}
		}
		if f == nil {
			continue // a file that is no longer part of the table
		}
		pos := positions[i]
		if pos < 0 || pos >= f.Rows {
			return fmt.Errorf("it deletes row %d of a file with %d rows", pos, f.Rows)
		}
		if f.deleted == nil {
			f.deleted = make(bitmap, (f.Rows+63)/64)
		}
		f.deleted.set(pos)
	}
	return nil
}
