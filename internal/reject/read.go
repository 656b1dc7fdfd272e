package reject

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"roster/internal/audience"
	"roster/internal/lake"
)

// Read reads the file of a run's rejects, RunResult.RejectsPath, and calls fn for each reject from the n-th on,
// counted from 0. An error of fn ends the reading and is returned. fs.ErrNotExist means that the rejects are no longer
// kept. Read returns the number of rejects in the file.
func Read(ctx context.Context, d *lake.Dataset, location string, from int64, fn func(audience.RejectedRow) error) (total int64, err error) {
	f, err := d.OpenFile(location)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	props := parquet.NewReaderProperties(memory.DefaultAllocator)
	props.BufferedStreamEnabled = true
	pf, err := file.NewParquetReader(f, file.WithReadProps(props))
	if err != nil {
		return 0, fmt.Errorf("open the rejects file: %w", err)
	}
	defer pf.Close()
	total = pf.NumRows()
	for g := range pf.NumRowGroups() {
		rows := pf.MetaData().RowGroup(g).NumRows()
		if from < rows {
			if err := readGroup(ctx, pf, g, from, fn); err != nil {
				return total, err
			}
		}
		from = max(from-rows, 0)
	}
	return total, nil
}

// batchRows is the number of rejects in memory at a time. Each reject has up to 64 KiB of text.
const batchRows = 64

// readGroup reads one row group, from the given row on.
func readGroup(ctx context.Context, pf *file.Reader, group int, from int64, fn func(audience.RejectedRow) error) error {
	r, err := pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{BatchSize: batchRows}, memory.DefaultAllocator)
	if err != nil {
		return fmt.Errorf("open the rejects file: %w", err)
	}
	batches, err := r.GetRecordReader(ctx, nil, []int{group})
	if err != nil {
		return fmt.Errorf("read the rejects file: %w", err)
	}
	defer batches.Release()
	if from > 0 {
		if err := batches.SeekToRow(from); err != nil {
			return fmt.Errorf("read the rejects file: %w", err)
		}
	}
	for batches.Next() {
		rec := batches.RecordBatch()
		for i := range int(rec.NumRows()) {
			if err := fn(rejectedRow(rec, i)); err != nil {
				return err
			}
		}
	}
	if err := batches.Err(); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the rejects file: %w", err)
	}
	return nil
}

func rejectedRow(rec arrow.RecordBatch, i int) audience.RejectedRow {
	text := func(column int) string {
		if c := rec.Column(column); c.IsValid(i) {
			return c.(*array.String).Value(i)
		}
		return ""
	}
	row := audience.RejectedRow{File: text(0), Version: text(1), Line: rec.Column(2).(*array.Int64).Value(i),
		Lines: rec.Column(3).(*array.Int64).Value(i), Offset: -1, Column: text(5), Code: text(6), Reason: text(7)}
	if c := rec.Column(4); c.IsValid(i) {
		row.Offset = c.(*array.Int64).Value(i)
	}
	if c := rec.Column(8); c.IsValid(i) {
		row.Raw = append([]byte{}, c.(*array.Binary).Value(i)...)
	}
	return row
}
