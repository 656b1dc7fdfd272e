package lake

import (
	"context"
	"time"

	"github.com/apache/iceberg-go/table"
)

// Bounds returns the bounds of a data file's columns by field id, from the table's metadata.
func Bounds(f DataFile) (lower, upper map[int][]byte) {
	return f.file.LowerBoundValues(), f.file.UpperBoundValues()
}

// Table returns the iceberg-go object of a table.
func (l *Lake) Table(ctx context.Context, id TableID) (*table.Table, error) {
	return l.catalog.LoadTable(ctx, id.ident())
}

// Ahead adds a duration to all times of a table, as if a clock that is ahead had set them.
func (l *Lake) Ahead(ctx context.Context, id TableID, by time.Duration) error {
	t, err := l.Table(ctx, id)
	if err != nil {
		return err
	}
	return l.retime(ctx, id, t, func(at int64) int64 { return at + by.Milliseconds() })
}

// Cool clears the cache of slices of Find.
func (l *Lake) Cool() { l.finder.slices.Clear() }
