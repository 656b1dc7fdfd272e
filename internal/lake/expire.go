package lake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apache/iceberg-go/table"
)

// Expire takes the snapshots that another one replaced before a time out of the table's history, and says how many
// they were: what was current until a day ago is kept that day, however long ago it was made. Their files stay until
// RemoveOrphans. ErrConflict when the table changed at the same moment: nothing was expired then. A run that is in
// progress goes on; one that would restore an expired snapshot fails.
func (d *Dataset) Expire(ctx context.Context, before time.Time) (int, error) {
	var ids []int64
	all := d.Snapshots()
	for i, s := range all[:max(len(all)-1, 0)] {
		if current := d.table.CurrentSnapshot(); s.ID != current.SnapshotID && all[i+1].Time.Before(before) {
			ids = append(ids, s.ID)
		}
	}
	if len(ids) == 0 {
		return 0, nil
	}
	_, err := atCommit(ctx, func(ctx context.Context) (table.Metadata, error) {
		return d.update(ctx, nil, []table.Update{table.NewRemoveSnapshotsUpdate(ids, false)})
	})
	if errors.Is(err, table.ErrCommitFailed) {
		return 0, fmt.Errorf("%w: %w", ErrConflict, err)
	}
	if err != nil {
		return 0, fmt.Errorf("expire snapshots of table %s.%s: %w", d.id.Namespace, d.id.Name, err)
	}
	return len(ids), nil
}
