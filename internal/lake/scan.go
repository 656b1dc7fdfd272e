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

// Position is a place in the rows of a snapshot: a row, live or not, of the File-th data file. The zero value is
// the beginning. Positions of one snapshot say nothing about another.
type Position struct {
	File int
	Row  int64
}

// ScanOptions say what a scan reads.
type ScanOptions struct {
	Columns   []string // names of fields and system columns, in the order wanted; all when empty
	From      Position // where to begin
	BatchRows int      // rows of a batch, at most; 0 stands for 8192
	Reading
}

const defaultBatchRows = 8 << 10

// Scan calls fn with the live rows of the snapshot, each once, in an order that is the snapshot's own: file by
// file, sorted by _roster_id within each. A later scan that begins at next goes on after rec. rec is released
// after fn returns. The next batches are decoded meanwhile; memory holds two of them and what Reading says. An error of
// fn ends the scan and is returned, except that Scan returns nil after fs.SkipAll.
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

// decode sends the batches of a scan.
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
