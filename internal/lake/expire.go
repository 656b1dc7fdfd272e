package lake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/apache/iceberg-go/table"
)

// Expire removes the snapshots that a later snapshot of Roster replaced before the given time from the table's history,
// and returns their number. The age of a snapshot counts from that replacement: a snapshot that was current until
// yesterday counts as one day old, whenever it was made. Snapshots that a branch or a tag holds stay. The files of
// expired snapshots stay until RemoveOrphans. If the table changes at the same time, the error is ErrConflict and
// nothing expires. A run in progress continues, but a run that restores an expired snapshot fails.
func (d *Dataset) Expire(ctx context.Context, before time.Time) (int, error) {
	d, err := d.WithHistory(ctx)
	if err != nil {
		return 0, err
	}
	over, held := map[int64]bool{}, d.held()
	var replaced time.Time // when the snapshot of Roster that follows was made
	for _, s := range slices.Backward(d.Snapshots()) {
		if !replaced.IsZero() && replaced.Before(before) && !held[s.ID] {
			over[s.ID] = true
		}
		if s.Version != "" {
			replaced = s.Time
		}
	}
	if len(over) == 0 {
		return 0, nil
	}
	return len(over), d.drop(ctx, over)
}

// held returns the snapshots that branches and tags hold. Main is one of the branches. A branch also holds the
// snapshots of other programs before its own, so that main can be moved forward to the branch.
func (d *Dataset) held() map[int64]bool {
	meta, held := d.table.Metadata(), map[int64]bool{}
	for _, ref := range meta.Refs() {
		for id := &ref.SnapshotID; id != nil; {
			s := meta.SnapshotByID(*id)
			if s == nil || held[s.SnapshotID] {
				break
			}
			own := snapshotOf(s).Version != ""
			if own && s.SnapshotID != ref.SnapshotID {
				break
			}
			held[s.SnapshotID] = true
			if id = s.ParentSnapshotID; own {
				break
			}
		}
	}
	return held
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
