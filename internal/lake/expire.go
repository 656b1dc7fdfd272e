package lake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/apache/iceberg-go/table"
)

// Expire removes the snapshots that another one replaced before the given time from the table's history, and returns
// their number. The age of a snapshot counts from its replacement: a snapshot that was current until yesterday counts
// as one day old, whenever it was made. The files of expired snapshots stay until RemoveOrphans. If the table changes
// at the same time, the error is ErrConflict and nothing expires. A run in progress continues, but a run that restores
// an expired snapshot fails.
func (d *Dataset) Expire(ctx context.Context, before time.Time) (int, error) {
	d, err := d.WithHistory(ctx)
	if err != nil {
		return 0, err
	}
	over := map[int64]bool{}
	all := d.Snapshots()
	for i, s := range all[:max(len(all)-1, 0)] {
		if current := d.table.CurrentSnapshot(); s.ID != current.SnapshotID && all[i+1].Time.Before(before) {
			over[s.ID] = true
		}
	}
	if len(over) == 0 {
		return 0, nil
	}
	return len(over), d.drop(ctx, over)
}

// Drop removes snapshots other than the current one from the table's history, like Expire.
func (d *Dataset) Drop(ctx context.Context, snapshots []Snapshot) error {
	d, err := d.WithHistory(ctx)
	if err != nil {
		return err
	}
	gone := map[int64]bool{}
	for _, s := range snapshots {
		gone[s.ID] = true
	}
	return d.drop(ctx, gone)
}

func (d *Dataset) drop(ctx context.Context, gone map[int64]bool) error {
	var recent []int64
	for _, s := range d.table.Metadata().Snapshots() {
		if gone[s.SnapshotID] {
			recent = append(recent, s.SnapshotID)
		}
	}
	older := slices.DeleteFunc(slices.Clone(d.older), func(s table.Snapshot) bool { return gone[s.SnapshotID] })
	if err := d.setHistory(ctx, recent, older); errors.Is(err, ErrConflict) {
		return err
	} else if err != nil {
		return fmt.Errorf("expire snapshots of table %s.%s: %w", d.id.Namespace, d.id.Name, err)
	}
	return nil
}
