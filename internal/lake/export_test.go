package lake

import (
	"context"
	"github.com/apache/arrow-go/v18/arrow"
	"time"
)

// Bounds returns the bounds of a data file's columns, by field id, as the table records them.
func Bounds(f DataFile) (lower, upper map[int][]byte) {
	return f.file.LowerBoundValues(), f.file.UpperBoundValues()
}

// Ahead moves the times of a table, as if they had been set by a clock that is ahead.
func (l *Lake) Ahead(ctx context.Context, id TableID, by time.Duration) error {
	t, err := l.catalog.LoadTable(ctx, id.ident())
	if err != nil {
		return err
	}
	return l.retime(ctx, id, t, func(at int64) int64 { return at + by.Milliseconds() })
}

// Cool forgets the slices that Find read.
func (l *Lake) Cool() { l.finder.slices = newRecent[sliceKey, arrow.Array](slicesKept) }
