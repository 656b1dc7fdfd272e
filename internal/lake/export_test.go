package lake

import (
	"context"
	"time"

	"github.com/apache/iceberg-go/table"
)

// Bounds returns the bounds of a data file's columns, by field id, as the table records them.
func Bounds(f DataFile) (lower, upper map[int][]byte) {
	return f.file.LowerBoundValues(), f.file.UpperBoundValues()
}

// Table returns a table as iceberg-go has it.
func (l *Lake) Table(ctx context.Context, id TableID) (*table.Table, error) {
	return l.catalog.LoadTable(ctx, id.ident())
}

// Ahead moves the times of a table, as if they had been set by a clock that is ahead.
func (l *Lake) Ahead(ctx context.Context, id TableID, by time.Duration) error {
	t, err := l.Table(ctx, id)
	if err != nil {
		return err
	}
	return l.retime(ctx, id, t, func(at int64) int64 { return at + by.Milliseconds() })
}

// Cool removes the slices that Find read from memory.
func (l *Lake) Cool() { l.finder.slices.Clear() }
