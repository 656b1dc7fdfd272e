// Package members reads the members of an audience from its dataset: pages of lists, tests of their values, and one
// member. Whoever uses it sees columns of values, and nothing of the format of the files.
package members

import (
	"context"
	"io/fs"
	"math"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"roster/internal/audience"
	"roster/internal/lake"
	"roster/internal/meta"
)

// How much of a filtered list one page looks at: rows, of which the last batch may be more, and for how long.
const (
	filteredRows = 1 << 20
	filteredFor  = time.Second
)

// systemColumns are the system columns that a member list reads after the fields.
var systemColumns = []string{lake.ColSince, lake.ColSeen, lake.ColRun, lake.ColFile, lake.ColLine}

// Source is what members are read from.
type Source struct {
	Dataset *lake.Dataset
	Runs    meta.Runs // which brought the members
	// Reading reserves the memory for so many columns; done gives it back.
	Reading func(ctx context.Context, columns int) (r lake.Reading, done func(), err error)
}

// Position is a position in a list of members: in a snapshot of the dataset, the rows after a number of live
// ones that a scan from a file's row brings. At is the time that decides who is a member, in epoch microseconds;
// all pages of a list have the same.
type Position struct {
	Snapshot int64 `json:"s"`
	At       int64 `json:"t"`
	File     int   `json:"f"`
	Row      int64 `json:"r"`
	Skip     int   `json:"k"`
}

// List is one page of an audience's members. It shows the same however the audience changes meanwhile.
type List struct {
	Fields []audience.Field // columns of each batch
	Next   *Position        // where the next page begins, nil when this one is the last

	source Source // without a dataset when the page has no members
	terms  terms
	limit  int // most members of the page, 0 for all
	from   Position
	where  Tests
	runs   *runs
}

// Batch is a part of a List. It is valid until the function that got it returns.
type Batch struct {
	Columns []Column // of the fields
	Rows    []int    // rows of the columns that are members, ascending
	terms   terms
	since   []arrow.Timestamp
	seen    []arrow.Timestamp
	run     []int64
	file    []int32
	line    []int64
	runs    *runs
	where   Tests
}

// Since is when the member of a row became one, in epoch microseconds.
func (b *Batch) Since(row int) int64 { return int64(b.since[row]) }

// Seen is the time of the run that last brought the member of a row, in epoch microseconds; a full run that left
// the row as it was counts for Expires alone.
func (b *Batch) Seen(row int) int64 { return int64(b.seen[row]) }

// Expires is when the membership of a row ends, in epoch microseconds.
func (b *Batch) Expires(row int) int64 { return b.terms.At(int64(b.seen[row])) }

// Line is the line of Origin's file that a row comes from.
func (b *Batch) Line(row int) int64 { return b.line[row] }

// Origin is the run that wrote a row and the file that it comes from; "" for what is not known any more.
func (b *Batch) Origin(ctx context.Context, row int) (run audience.RunID, file string, err error) {
	r, err := b.runs.get(ctx, b.run[row])
	if err != nil {
		return "", "", err
	}
	return r.ID, fileOf(r, b.file[row]).Path, nil
}

// Open opens the page of a list that begins at a place, with the fields of the members that pass the tests. limit is
// how many members the page has at most, 0 for no limit.
func Open(ctx context.Context, src Source, aud *audience.Audience, fields []audience.Field, where Tests, from Position, limit int) (*List, error) {
	l := &List{Fields: fields, source: src, limit: limit, from: from, where: where, runs: newRuns(src.Runs, aud)}
	snap, ok := src.Dataset.Current()
	if !ok {
		l.source.Dataset, l.limit = nil, 0
		return l, nil // no run has brought anybody
	}
	var err error
	if l.terms, err = termsOf(aud, src.Dataset, time.UnixMicro(from.At)); err != nil {
		return nil, err
	}
	l.from.Snapshot = snap.ID
	if len(where) > 0 {
		return l, l.findFiltered(ctx)
	}
	return l, l.findNext(ctx)
}

// findNext finds out where the next page begins: at the first member after as many as the limit allows.
func (l *List) findNext(ctx context.Context) error {
	if l.limit == 0 {
		return nil
	}
	next, count := l.from, 0
	err := l.scan(ctx, []string{lake.ColSeen}, l.limit+1, func(rec arrow.RecordBatch, first Position, skip int) error {
		seen := rec.Column(0).(*array.Timestamp).TimestampValues()
		for i := skip; i < len(seen); i++ {
			if !l.terms.has(int64(seen[i])) {
				continue
			}
			if count++; count > l.limit {
				next.File, next.Row, next.Skip = first.File, first.Row, i
				return fs.SkipAll
			}
		}
		return nil
	})
	if err == nil && count > l.limit {
		l.Next = &next
	}
	return err
}

// findFiltered finds out which members the page has: from the first that passes the tests to as many as the limit
// allows, or as the page looks at. It makes the page begin at the first and have as many as there are.
func (l *List) findFiltered(ctx context.Context) error {
	begin, count, read, until := l.from, 0, 0, time.Now().Add(filteredFor)
	err := l.scan(ctx, append([]string{lake.ColSeen}, l.where.columns()...), 0, func(rec arrow.RecordBatch, first Position, skip int) error {
		end := func(row int) error {
			l.Next = &Position{Snapshot: first.Snapshot, At: first.At, File: first.File, Row: first.Row, Skip: row}
			return fs.SkipAll
		}
		if read >= filteredRows || read > 0 && time.Now().After(until) {
			return end(first.Skip)
		}
		seen, passes := rec.Column(0).(*array.Timestamp).TimestampValues(), l.where.of(rec)
		read += len(seen)
		for i := skip; i < len(seen); i++ {
			if !l.terms.has(int64(seen[i])) || !passes(i) {
				continue
			}
			if l.limit > 0 && count == l.limit {
				return end(i)
			}
			if count++; count == 1 {
				begin = first
				begin.Skip = i
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	l.from, l.limit = begin, count
	if count == 0 {
		l.source.Dataset = nil // there is nothing to read
	}
	return nil
}

// batch is how many rows are read at a time, 0 for the usual number: the members of a filtered page may be far apart.
func (l *List) batch() int {
	if len(l.where) > 0 {
		return 0
	}
	return l.limit
}

// scan calls fn with the batches of the dataset from where the page begins, with the place of each batch and how
// many of its rows come before the page.
func (l *List) scan(ctx context.Context, columns []string, limit int, fn func(rec arrow.RecordBatch, first Position, skip int) error) error {
	first := l.from
	reading, done, err := l.source.Reading(ctx, len(columns))
	if err != nil {
		return err
	}
	defer done()
	o := lake.ScanOptions{Columns: columns, From: lake.Position{File: first.File, Row: first.Row}, Reading: reading}
	if limit > 0 {
		o.BatchRows = min(limit+first.Skip, 8<<10)
	}
	return l.source.Dataset.Scan(ctx, o, func(rec arrow.RecordBatch, next lake.Position) error {
		rows := int(rec.NumRows())
		if err := fn(rec, first, min(first.Skip, rows)); err != nil {
			return err
		}
		first.File, first.Row, first.Skip = next.File, next.Row, max(0, first.Skip-rows)
		return nil
	})
}

// Each calls fn with the members of the page. An error of fn ends it and is returned.
func (l *List) Each(ctx context.Context, fn func(*Batch) error) error {
	if l.source.Dataset == nil {
		return nil
	}
	columns := make([]string, 0, len(l.Fields)+len(systemColumns))
	for _, f := range l.Fields {
		columns = append(columns, f.Name)
	}
	wanted := len(columns)
	columns = append(columns, systemColumns...)
	for _, name := range l.where.columns() {
		if !slices.Contains(columns[:wanted], name) {
			columns = append(columns, name)
		}
	}
	left := math.MaxInt
	if l.limit > 0 {
		left = l.limit
	}
	b := &Batch{terms: l.terms, runs: l.runs, where: l.where}
	return l.scan(ctx, columns, l.batch(), func(rec arrow.RecordBatch, _ Position, skip int) error {
		b.Columns = appendColumns(b.Columns[:0], rec.Columns()[:len(l.Fields)])
		b.take(rec, len(l.Fields), skip, left)
		if left -= len(b.Rows); len(b.Rows) > 0 {
			if err := fn(b); err != nil {
				return err
			}
		}
		if left == 0 {
			return fs.SkipAll
		}
		return nil
	})
}

// take makes the batch show at most so many members of a record, whose system columns follow as many others.
func (b *Batch) take(rec arrow.RecordBatch, fields, skip, most int) {
	b.Rows = b.Rows[:0]
	b.since = rec.Column(fields).(*array.Timestamp).TimestampValues()
	b.seen = rec.Column(fields + 1).(*array.Timestamp).TimestampValues()
	b.run = rec.Column(fields + 2).(*array.Int64).Int64Values()
	b.file = rec.Column(fields + 3).(*array.Int32).Int32Values()
	b.line = rec.Column(fields + 4).(*array.Int64).Int64Values()
	passes := b.where.of(rec)
	for i := skip; i < len(b.seen) && len(b.Rows) < most; i++ {
		if b.terms.has(int64(b.seen[i])) && passes(i) {
			b.Rows = append(b.Rows, i)
		}
	}
}
