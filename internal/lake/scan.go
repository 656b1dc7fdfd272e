package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/errgroup"
)

// Position is the position of a row, live or deleted, in the data files of a snapshot. File is an index. The zero value
// is the beginning. A position is valid for one snapshot only.
type Position struct {
	File int
	Row  int64
}

// ScanOptions select what a scan reads.
type ScanOptions struct {
	Columns   []string // names of fields and system columns, in the requested order; empty means all
	From      Position // position of the first row
	BatchRows int      // maximum rows of a batch; 0 means 8192
	Reading
}

const defaultBatchRows = 8 << 10

// Scan calls fn with each live row of the snapshot once. The order depends on the snapshot: file by file, sorted by
// _roster_id within each file. A later scan that begins at next continues after rec. Scan releases rec after fn
// returns. During a call of fn the next batches are decoded, so the memory holds two batches and the memory of Reading.
// An error of fn ends the scan and is returned, but for fs.SkipAll Scan returns nil.
func (d *Dataset) Scan(ctx context.Context, o ScanOptions, fn func(rec arrow.RecordBatch, next Position) error) error {
	schema, err := columnsNamed(d.columns.own, o.Columns)
	if err != nil {
		return err
	}
	if o.From.File < 0 || o.From.Row < 0 {
		return fmt.Errorf("lake: a scan from row %d of file %d", o.From.Row, o.From.File)
	}
	state, err := d.OpenState(ctx, StateOptions{})
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	batches := make(chan scanned, 1)
	g.Go(func() error {
		defer close(batches)
		return state.decode(ctx, schema, o, batches)
	})
	g.Go(func() error {
		for b := range batches {
			err := fn(b.rec, b.next)
			b.rec.Release()
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err := g.Wait(); !errors.Is(err, fs.SkipAll) {
		return err
	}
	return nil
}

// scanned is a batch and the position after it.
type scanned struct {
	rec  arrow.RecordBatch
	next Position
}

// decode sends the batches of a scan to a channel.
func (s *State) decode(ctx context.Context, schema *arrow.Schema, o ScanOptions, to chan<- scanned) error {
	from := o.From.Row
	for i := o.From.File; i < len(s.data); i++ {
		if err := s.decodeFile(ctx, i, from, schema, o, to); err != nil {
			return fmt.Errorf("read %s: %w", s.data[i].Path, unreadable(ctx.Err(), s.data[i].Path, err))
		}
		from = 0
	}
	return nil
}

func (s *State) decodeFile(ctx context.Context, i int, from int64, schema *arrow.Schema, o ScanOptions, to chan<- scanned) (err error) {
	defer recovered(&err)
	r, ok, err := openRows(ctx, s.data[i], schema, rowOptions{from: from, batch: cmp.Or(o.BatchRows, defaultBatchRows), parallel: true, Reading: o.Reading})
	if err != nil || !ok {
		return err
	}
	defer r.close()
	for {
		rec, next, ok, err := r.read(ctx)
		if err != nil || !ok {
			return err
		}
		if rec.NumRows() == 0 {
			rec.Release()
			continue
		}
		select {
		case to <- scanned{rec, Position{File: i, Row: next}}:
		case <-ctx.Done():
			rec.Release()
			return ctx.Err()
		}
	}
}
