package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/bits"
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
	"github.com/apache/iceberg-go/table/dv"
	"github.com/google/uuid"
)

// bitmap is a set of positions of a data file. A nil bitmap is empty.
type bitmap []uint64

func (b bitmap) set(pos int64) { b[pos>>6] |= 1 << (pos & 63) }

func (b bitmap) has(pos int64) bool { return b != nil && b[pos>>6]&(1<<(pos&63)) != 0 }

// any reports whether a position in [from, to) is in the set.
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

// all returns the positions in the set in ascending order.
func (b bitmap) all() iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for i, word := range b {
			for ; word != 0; word &= word - 1 {
				if !yield(int64(i)<<6 + int64(bits.TrailingZeros64(word))) {
					return
				}
			}
		}
	}
}

// count returns the number of positions in the set.
func (b bitmap) count() (n int64) {
	for _, word := range b {
		n += int64(bits.OnesCount64(word))
	}
	return n
}

// deleteGroup is the number of position deletes in a row group. Row groups are small, so that the search for one row
// reads little.
const deleteGroup = 1 << 16

// writeDeletes writes a separate file of position deletes for each data file that loses rows. The bounds of each file
// name its data file. So readers find the deletes of a data file without reading those of others.
func (d *Dataset) writeDeletes(dir string, deletes map[string]bitmap) (written []iceberg.DataFile, err error) {
	for _, of := range slices.Sorted(maps.Keys(deletes)) {
		df, err := d.writeDeletesOf(dir, of, deletes[of])
		if err != nil {
			return nil, err
		}
		written = append(written, df)
	}
	return written, nil
}

// writeDeletesOf writes the position deletes of one data file.
func (d *Dataset) writeDeletesOf(dir, of string, deleted bitmap) (iceberg.DataFile, error) {
	spec, err := d.spec()
	if err != nil {
		return nil, err
	}
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
	if err == nil {
		err = appendDeletes(w, of, deleted)
	}
	if err != nil {
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
		Schema: iceberg.PositionalDeleteSchema, Spec: spec, Format: iceberg.ParquetFile, Metadata: meta, FilePath: f.location(), FileSize: out.n,
		Content: iceberg.EntryContentPosDeletes, Properties: d.table.Properties(), FormatVersion: d.table.Metadata().Version(), ReferencedDataFile: &of,
	})
}

// appendDeletes writes the deletes of a data file in the order of their positions.
func appendDeletes(w *pqarrow.FileWriter, of string, deleted bitmap) error {
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.PositionalDeleteArrowSchema)
	defer b.Release()
	const words = 1 << 10 // 64 Ki rows
	for from := 0; from < len(deleted); from += words {
		for pos := range deleted[from:min(from+words, len(deleted))].all() {
			b.Field(0).(*array.StringBuilder).Append(of)
			b.Field(1).(*array.Int64Builder).Append(int64(from)<<6 + pos)
		}
		rec := b.NewRecordBatch()
		err := w.WriteBuffered(rec)
		rec.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// writeVectors writes the deletes in the form of format version 3: one deletion vector for each data file, which
// replaces all earlier deletes of the data file.
func (d *Dataset) writeVectors(ctx context.Context, dir string, deletes map[string]bitmap) ([]iceberg.DataFile, error) {
	state, err := d.OpenState(ctx, StateOptions{})
	if err != nil {
		return nil, err
	}
	spec, err := d.spec()
	if err != nil {
		return nil, err
	}
	w := dv.NewDVWriter(d.lake.files, func(int32) *iceberg.PartitionSpec { return &spec })
	for _, f := range state.data {
		now, ok := deletes[f.Path]
		if !ok {
			continue
		}
		for _, rows := range []bitmap{f.deleted, now} {
			for pos := range rows.all() {
				if err := w.AddPosition(f.Path, pos, int32(spec.ID()), nil); err != nil {
					return nil, err
				}
			}
		}
	}
	return w.Flush(ctx, d.lake.files.locationOf(path.Join(d.dir, "data", dir, "deletes-"+uuid.NewString()+".puffin")))
}

// replacesVector reports whether new deletes replace a file of deletes, because it is a deletion vector of the same
// data file.
func replacesVector(deletes map[string]bitmap, df iceberg.DataFile) bool {
	of := df.ReferencedDataFile()
	return table.IsDeletionVector(df) && of != nil && len(deletes[*of]) > 0
}

// readDeletes marks the rows that a file of deletes names. The map at has the indexes of the state's files by path.
func (s *State) readDeletes(del iceberg.DataFile, at map[string]int) error {
	return s.in.eachDelete(del, nil, func(paths []parquet.ByteArray, positions []int64) error {
		return s.markDeleted(paths, positions, at)
	})
}

// eachInVector calls fn with the positions of a deletion vector.
func (fs files) eachInVector(del iceberg.DataFile, fn func(paths []parquet.ByteArray, positions []int64) error) error {
	of := del.ReferencedDataFile()
	if of == nil {
		return errors.New("it names no data file")
	}
	rows, err := dv.ReadDV(fs, del)
	if err != nil {
		return err
	}
	path, one := []parquet.ByteArray{parquet.ByteArray(*of)}, make([]int64, 1)
	for pos := range rows.Positions() {
		one[0] = int64(pos)
		if err := fn(path, one); err != nil {
			return err
		}
	}
	return nil
}

// eachDelete calls fn with the deletes of a file. Row groups for which want returns false are skipped.
func (fs files) eachDelete(del iceberg.DataFile, want func(rg *metadata.RowGroupMetaData, path, pos int) bool, fn func(paths []parquet.ByteArray, positions []int64) error) (err error) {
	defer recovered(&err)
	switch {
	case table.IsDeletionVector(del):
		return fs.eachInVector(del, fn)
	case del.FileFormat() != iceberg.ParquetFile:
		return foreignFormat("position deletes", del)
	}
	r, f, err := fs.openParquet(del.FilePath(), nil)
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
			continue // the table no longer contains this file
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
