package lake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"roster/internal/audience"
	"roster/internal/fault"
)

// Commit is what a run does to a table.
type Commit struct {
	Run audience.RunID
	// Replace makes Add the whole table; Deletes must be empty then.
	Replace bool
	Add     []DataFile
	// Deletes are the positions to retire, by the path of a live data file, in any order.
	Deletes map[string][]int64
	// Dir is the attempt's directory, for the position delete file.
	Dir string
	// Props go into the snapshot's summary. Their names begin with "roster.".
	Props map[string]string
}

// Commit makes one snapshot of the changes, even when there are none, or returns an error and changes nothing:
// ErrConflict when another snapshot was committed since the dataset was loaded, ErrNotExist when the table was
// dropped. Only ErrUncertain leaves it open whether the snapshot was made.
func (d *Dataset) Commit(ctx context.Context, c Commit) (Snapshot, error) {
	if c.Replace && len(c.Deletes) > 0 {
		return Snapshot{}, errors.New("lake: a replacement with position deletes")
	}
	data, deletes, err := d.liveFiles(ctx)
	if err != nil {
		return Snapshot{}, err
	}
	if c.Deletes, err = sortedDeletes(c.Deletes, data); err != nil {
		return Snapshot{}, err
	}
	props := iceberg.Properties{}
	maps.Copy(props, c.Props)
	props[propRunID] = string(c.Run)
	props[propLive] = strconv.FormatInt(d.rowsAfter(c), 10)
	tx := d.table.NewTransaction()
	if err := d.stage(ctx, tx, c, data, deletes, props); err != nil {
		return Snapshot{}, fmt.Errorf("prepare a snapshot of table %s.%s: %w", d.id.Namespace, d.id.Name, err)
	}
	if err := d.syncDirectories(); err != nil {
		return Snapshot{}, err
	}
	t, err := commitTx(ctx, tx)
	if err != nil {
		return d.outcome(ctx, c.Run, err)
	}
	return snapshotOf(t.CurrentSnapshot()), nil
}

// commitTx makes the snapshot of a transaction.
func commitTx(ctx context.Context, tx *table.Transaction) (*table.Table, error) {
	if err := fault.At("catalog.commit"); err != nil {
		return nil, err
	}
	t, err := tx.Commit(ctx)
	if err == nil {
		err = fault.At("catalog.commit" + fault.Done)
	}
	return t, err
}

// sortedDeletes returns the positions of each file in order and once, and an error for one that cannot be.
func sortedDeletes(deletes map[string][]int64, live []iceberg.DataFile) (map[string][]int64, error) {
	rows := make(map[string]int64, len(live))
	for _, f := range live {
		rows[f.FilePath()] = f.Count()
	}
	out := make(map[string][]int64, len(deletes))
	for path, positions := range deletes {
		n, ok := rows[path]
		if !ok {
			return nil, fmt.Errorf("lake: position deletes of %s, which is no data file of the table", path)
		}
		if len(positions) == 0 {
			continue
		}
		sorted := slices.Clone(positions)
		slices.Sort(sorted)
		sorted = slices.Compact(sorted)
		if sorted[0] < 0 || sorted[len(sorted)-1] >= n {
			return nil, fmt.Errorf("lake: a position delete outside of the %d rows of %s", n, path)
		}
		out[path] = sorted
	}
	return out, nil
}

func (d *Dataset) rowsAfter(c Commit) int64 {
	n := int64(0)
	for _, f := range c.Add {
		n += f.Rows
	}
	if c.Replace {
		return n
	}
	n += d.Rows()
	for _, positions := range c.Deletes {
		n -= int64(len(positions))
	}
	return n
}

func (d *Dataset) stage(ctx context.Context, tx *table.Transaction, c Commit, data, deletes []iceberg.DataFile, props iceberg.Properties) error {
	add := make([]iceberg.DataFile, len(c.Add))
	for i, f := range c.Add {
		add[i] = f.file
	}
	switch {
	case c.Replace && len(data)+len(deletes) > 0:
		return tx.ReplaceFiles(ctx, data, add, deletes, props, table.WithoutAutoNameMapping())
	case len(add) == 0 && len(c.Deletes) == 0:
		return d.stageEmpty(ctx, tx, props)
	}
	delta := tx.NewRowDelta(props).AddRows(add...)
	if len(c.Deletes) > 0 {
		del, err := d.writeDeletes(c.Dir, c.Deletes)
		if err != nil {
			return fmt.Errorf("write the position deletes: %w", err)
		}
		delta.AddDeletes(del)
	}
	return delta.Commit(ctx)
}

// stageEmpty stages a snapshot with the files of its parent.
func (d *Dataset) stageEmpty(ctx context.Context, tx *table.Transaction, props iceberg.Properties) error {
	none, err := array.NewRecordReader(d.schema, nil)
	if err != nil {
		return err
	}
	defer none.Release()
	return tx.Append(ctx, none, props)
}

// outcome says what became of a commit that iceberg-go reports as failed. The SQL catalog has no type for most
// of its conflicts, and a database that fails while it commits may have committed: the table itself tells.
func (d *Dataset) outcome(ctx context.Context, run audience.RunID, cause error) (Snapshot, error) {
	if errors.Is(cause, table.ErrCommitFailed) {
		return Snapshot{}, fmt.Errorf("%w: %w", ErrConflict, cause)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	now, err := d.lake.Load(ctx, d.id)
	if errors.Is(err, ErrNotExist) {
		return Snapshot{}, err
	}
	if err != nil {
		return Snapshot{}, fmt.Errorf("%w: %w", ErrUncertain, errors.Join(cause, err))
	}
	if now.table.Metadata().TableUUID() != d.table.Metadata().TableUUID() {
		return Snapshot{}, fmt.Errorf("%w: %s.%s was dropped and created anew", ErrNotExist, d.id.Namespace, d.id.Name)
	}
	if snap, ok := now.FindRun(run); ok {
		return snap, nil
	}
	if now.MetadataLocation() != d.MetadataLocation() {
		return Snapshot{}, fmt.Errorf("%w: %w", ErrConflict, cause) // the catalog replaces only what was loaded
	}
	return Snapshot{}, fmt.Errorf("%w: %w", ErrUncertain, cause)
}
