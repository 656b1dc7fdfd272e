package lake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"roster/internal/audience"
)

// Commit is what a run does to a table.
type Commit struct {
	Run audience.RunID
	// Replace makes Add the whole table; Deletes must be empty then.
	Replace bool
	Add     []DataFile
	// Deletes are the positions to retire, by data file.
	Deletes map[string][]int64
	// Dir is the attempt's directory, for the position delete file.
	Dir string
	// Props go into the snapshot's summary. Their names begin with "roster.".
	Props map[string]string
}

// Commit makes one snapshot of the changes, even when there are none, or returns an error and changes nothing:
// ErrConflict when another snapshot was committed since the dataset was loaded.
func (d *Dataset) Commit(ctx context.Context, c Commit) (Snapshot, error) {
	props := iceberg.Properties{propRunID: string(c.Run), propLive: strconv.FormatInt(d.rowsAfter(c), 10)}
	maps.Copy(props, c.Props)
	tx := d.table.NewTransaction()
	if err := d.stage(ctx, tx, c, props); err != nil {
		return Snapshot{}, err
	}
	t, err := tx.Commit(ctx)
	if errors.Is(err, table.ErrCommitFailed) {
		return Snapshot{}, fmt.Errorf("%w: %w", ErrConflict, err)
	}
	if err != nil {
		return Snapshot{}, err
	}
	return snapshotOf(t.CurrentSnapshot()), nil
}

func (d *Dataset) rowsAfter(c Commit) int64 {
	n := int64(0)
	for _, f := range c.Add {
		n += f.Rows
	}
	if c.Replace {
		return n
	}
	n += d.Rows()
	for _, positions := range c.Deletes {
		n -= int64(len(positions))
	}
	return n
}

func (d *Dataset) stage(ctx context.Context, tx *table.Transaction, c Commit, props iceberg.Properties) error {
	add := make([]iceberg.DataFile, len(c.Add))
	for i, f := range c.Add {
		add[i] = f.file
	}
	if c.Replace && len(c.Deletes) > 0 {
		return errors.New("lake: a replacement with position deletes")
	}
	if c.Replace && d.Rows() > 0 {
		data, deletes, err := d.liveFiles(ctx)
		if err != nil {
			return err
		}
		return tx.ReplaceFiles(ctx, data, add, deletes, props)
	}
	if len(add) == 0 && len(c.Deletes) == 0 {
		return d.stageEmpty(ctx, tx, props)
	}
	delta := tx.NewRowDelta(props).AddRows(add...)
	if len(c.Deletes) > 0 {
		del, err := d.writeDeletes(c.Dir, c.Deletes)
		if err != nil {
			return fmt.Errorf("write the position deletes: %w", err)
		}
		delta.AddDeletes(del)
	}
	return delta.Commit(ctx)
}

// stageEmpty stages a snapshot with the files of its parent.
func (d *Dataset) stageEmpty(ctx context.Context, tx *table.Transaction, props iceberg.Properties) error {
	none, err := array.NewRecordReader(d.schema, nil)
	if err != nil {
		return err
	}
	defer none.Release()
	return tx.Append(ctx, none, props)
}

// writeDeletes writes one position delete file for all data files that lose rows.
func (d *Dataset) writeDeletes(dir string, deletes map[string][]int64) (iceberg.DataFile, error) {
	path := filepath.Join(d.dir, "data", dir, "deletes.parquet")
	f, err := createDurable(path)
	if err != nil {
		return nil, err
	}
	out := &countingWriter{w: f}
	schema := table.PositionalDeleteArrowSchema
	props := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCompressionLevel(1), parquet.WithDictionaryFor(schema.Field(1).Name, false))
	w, err := pqarrow.NewFileWriter(schema, out, props, pqarrow.NewArrowWriterProperties())
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	flush := func() error {
		rec := b.NewRecordBatch()
		defer rec.Release()
		return w.WriteBuffered(rec)
	}
	for _, name := range slices.Sorted(maps.Keys(deletes)) {
		positions := slices.Clone(deletes[name])
		slices.Sort(positions)
		for _, pos := range positions {
			b.Field(0).(*array.StringBuilder).Append(name)
			b.Field(1).(*array.Int64Builder).Append(pos)
			if b.Field(1).Len() == 1<<16 {
				if err := flush(); err != nil {
					return nil, errors.Join(err, f.Close())
				}
			}
		}
	}
	if err := errors.Join(flush(), w.Close(), out.Close()); err != nil {
		return nil, err
	}
	meta, err := w.FileMetadata()
	if err != nil {
		return nil, err
	}
	return table.DataFileFromMetadata(table.DataFileArgs{
		Schema: iceberg.PositionalDeleteSchema, Spec: d.table.Spec(), Format: iceberg.ParquetFile, Metadata: meta,
		FilePath: fileURI(path), FileSize: out.n, Content: iceberg.EntryContentPosDeletes, Properties: d.table.Properties(), FormatVersion: 2,
	})
}
