package lake

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"roster/internal/audience"
	"roster/internal/fault"
)

// Commit describes a change of a table by a run or by maintenance.
type Commit struct {
	Run audience.RunID // "" for maintenance, which changes files but no rows
	// Replace makes Add the whole content of the table. Deletes and Doomed must be empty.
	Replace bool
	Add     []DataFile
	// Deletes are the positions of the rows to delete, in any order, by the path of a live data file.
	Deletes map[string][]int64
	// Doomed contains more rows to delete, by the path of a live data file, as bitmaps: bit i%64 of word i/64 is row i.
	// Doomed is for very many rows.
	Doomed map[string][]uint64
	// Fold contains the paths of live data files. Add contains their live rows. The files of position deletes are
	// rewritten in the same commit. Only maintenance uses Fold.
	Fold map[string]bool
	// Carry returns the Props of a fold whose parent is the given snapshot. Nil means that the fold cannot have that
	// parent.
	Carry func(Snapshot) map[string]string
	// Restore is the snapshot whose rows become the rows of the table again. Then Add, Replace and Deletes must be
	// empty. 0 means none.
	Restore int64
	// Live is the number of rows of the table before this commit. Live is set only after a snapshot of another program,
	// because its summary may be wrong.
	Live *int64
	// Version is the run whose members a snapshot of maintenance contains. If Version is "", the version of the current
	// snapshot applies.
	Version audience.RunID
	// Anew makes the snapshot without reading the files of the current one, some of which are damaged. Only valid with
	// Replace.
	Anew bool
	// Dir is the attempt's directory, to which the position delete files are written. The attempt's files beside the
	// data are kept as long as the snapshot.
	Dir string
	// Props are added to the snapshot's summary. Their names begin with "roster.".
	Props map[string]string
}

// Commit makes one snapshot of the changes, even if there are none. If Commit returns an error, nothing changed, except
// with ErrUncertain: then the snapshot may have been made. The error is ErrConflict if another snapshot was committed
// after the dataset was loaded, and ErrNotExist if the table was dropped or the snapshot to restore is not kept.
//
// Runs and folds do not wait for each other. If a fold commits before a run, the run finds its rows in the new files
// and then commits. If a run commits before a fold, the fold does the same.
func (d *Dataset) Commit(ctx context.Context, c Commit) (Snapshot, error) {
	if d.past {
		return Snapshot{}, errors.New("lake: a commit to an earlier snapshot")
	}
	snap, err := d.commit(ctx, c)
	for range maxRebases {
		if !errors.Is(err, ErrConflict) {
			break
		}
		now, moved, ok, failed := d.rebased(ctx, c)
		if failed != nil {
			return Snapshot{}, fmt.Errorf("%w: %w", err, failed)
		}
		if !ok {
			break
		}
		snap, err = now.commit(ctx, moved)
	}
	return snap, err
}

// maxRebases is the maximum number of times that a commit is repeated after others that came first.
const maxRebases = 5

func (d *Dataset) commit(ctx context.Context, c Commit) (Snapshot, error) {
	stage := d.stage
	switch {
	case c.Fold != nil:
		stage = d.stageFold
	case c.Restore != 0:
		stage = d.stageRestore
	// In format version 3, a manifest that records removed data files would need the ids of their rows.
	case c.Anew, c.Replace && d.table.Metadata().Version() >= 3:
		stage = d.stageAnew
	}
	staged, err := stage(ctx, c)
	if err != nil {
		return Snapshot{}, fmt.Errorf("prepare a snapshot of table %s.%s: %w", d.id.Namespace, d.id.Name, err)
	}
	meta, err := atCommit(ctx, staged)
	if err != nil {
		return d.outcome(ctx, c, err)
	}
	return snapshotOf(meta.CurrentSnapshot()), nil
}

// stagedCommit executes a commit except for the change of the catalog.
type stagedCommit func(ctx context.Context) (table.Metadata, error)

func atCommit(ctx context.Context, staged stagedCommit) (table.Metadata, error) {
	if err := fault.At("catalog.commit"); err != nil {
		return nil, err
	}
	meta, err := staged(ctx)
	if err == nil {
		err = fault.At("catalog.commit" + fault.Done)
	}
	return meta, err
}

// deletedRows returns the rows that a commit deletes, by data file. An invalid position is an error.
func (c *Commit) deletedRows(live []iceberg.DataFile) (map[string]bitmap, error) {
	rows := make(map[string]int64, len(live))
	for _, f := range live {
		rows[f.FilePath()] = f.Count()
	}
	out := make(map[string]bitmap, len(c.Deletes)+len(c.Doomed))
	of := func(path string) (bitmap, error) {
		n, ok := rows[path]
		if !ok {
			return nil, fmt.Errorf("lake: position deletes of %s, which is no data file of the table", path)
		}
		if out[path] == nil {
			out[path] = make(bitmap, (n+63)/64)
		}
		return out[path], nil
	}
	for path, positions := range c.Deletes {
		if len(positions) == 0 {
			continue
		}
		b, err := of(path)
		if err != nil {
			return nil, err
		}
		for _, pos := range positions {
			if pos < 0 || pos >= rows[path] {
				return nil, fmt.Errorf("lake: a position delete outside of the %d rows of %s", rows[path], path)
			}
			b.set(pos)
		}
	}
	for path, words := range c.Doomed {
		if bitmap(words).count() == 0 {
			continue
		}
		b, err := of(path)
		if err != nil {
			return nil, err
		}
		for i, word := range words {
			b[i] |= word
		}
	}
	return out, nil
}

// whole returns the data files of which all rows are deleted.
func whole(deleted map[string]bitmap, live []iceberg.DataFile) map[string]bool {
	out := map[string]bool{}
	for _, f := range live {
		if b := deleted[f.FilePath()]; b != nil && b.count() == f.Count() {
			out[f.FilePath()] = true
		}
	}
	return out
}

// summaryOf returns the summary of a snapshot with the given number of rows.
func (d *Dataset) summaryOf(c Commit, rows int64) iceberg.Properties {
	props := iceberg.Properties{}
	maps.Copy(props, c.Props)
	// Maintenance copies the entries of its parent.
	delete(props, propRunID)
	delete(props, propVersion)
	if parent, _ := d.Current(); c.Run != "" {
		props[propRunID] = string(c.Run)
	} else if version := cmp.Or(c.Version, parent.Version); version != "" {
		props[propVersion] = string(version)
	}
	if c.Dir != "" {
		props[PropDir] = c.Dir
	}
	props[propLive] = strconv.FormatInt(rows, 10)
	return props
}

// rowsAfter returns the number of rows after a commit that deletes rows.
func (d *Dataset) rowsAfter(c Commit, deleted map[string]bitmap) int64 {
	n := int64(0)
	for _, f := range c.Add {
		n += f.Rows
	}
	if c.Replace {
		return n
	}
	if c.Live != nil {
		n += *c.Live
	} else {
		n += d.Rows()
	}
	for _, b := range deleted {
		n -= b.count()
	}
	return n
}

func (d *Dataset) stage(ctx context.Context, c Commit) (stagedCommit, error) {
	if c.Replace && len(c.Deletes)+len(c.Doomed) > 0 {
		return nil, errors.New("a replacement with position deletes")
	}
	manifests, err := d.manifests(ctx)
	if err != nil {
		return nil, err
	}
	data, _ := filesOf(manifests)
	deleted, err := c.deletedRows(data)
	if err != nil {
		return nil, err
	}
	rows := d.rowsAfter(c, deleted)
	op := table.OpAppend
	if c.Replace || len(deleted) > 0 {
		op = table.OpOverwrite
	}
	// Files without rows leave the table. Position deletes of all their rows would be slower for every reader.
	var drop map[string]bool
	if d.Foldable() {
		drop = whole(deleted, data)
		maps.DeleteFunc(deleted, func(path string, _ bitmap) bool { return drop[path] })
	}
	gone := func(df iceberg.DataFile) bool {
		return c.Replace || drop[dataFileOfEntry(df)] || replacesVector(deleted, df)
	}
	s, err := d.newSnapshot()
	if err != nil {
		return nil, err
	}
	for _, m := range manifests {
		if !slices.ContainsFunc(m.entries, func(e iceberg.ManifestEntry) bool { return gone(e.DataFile()) }) {
			s.carry(m)
			continue
		}
		for _, e := range m.entries {
			if gone(e.DataFile()) {
				s.remove(e)
			} else {
				s.keep(e)
			}
		}
	}
	for _, f := range c.Add {
		s.add(f.file)
	}
	if err := d.addDeletes(ctx, s, c.Dir, deleted); err != nil {
		return nil, fmt.Errorf("write the position deletes: %w", err)
	}
	return s.write(op, d.summaryOf(c, rows))
}

// dataFileOfEntry returns the path of a data file, or of the only data file that a file of position deletes is about.
func dataFileOfEntry(df iceberg.DataFile) string {
	paths := iceberg.PositionalDeleteSchema.Field(0).ID
	switch lower := df.LowerBoundValues()[paths]; {
	case isData(df):
		return df.FilePath()
	case df.ReferencedDataFile() != nil:
		return *df.ReferencedDataFile()
	case bytes.Equal(lower, df.UpperBoundValues()[paths]):
		return string(lower)
	}
	return ""
}

// addDeletes writes position deletes and adds their files to the snapshot.
func (d *Dataset) addDeletes(ctx context.Context, s *newSnapshot, dir string, deleted map[string]bitmap) (err error) {
	if len(deleted) == 0 {
		return nil
	}
	var written []iceberg.DataFile
	if d.table.Metadata().Version() >= 3 {
		written, err = d.writeVectors(ctx, dir, deleted)
	} else {
		written, err = d.writeDeletes(dir, deleted)
	}
	for _, df := range written {
		s.add(df)
	}
	return err
}

// outcome finds out what happened to a commit that iceberg-go reports as failed. The errors of failed requirements have
// no type, a database that fails during a commit may have committed, and a conflict may be with the commit itself: a
// catalog that repeats a request finds the table changed by the first one. So outcome reads the table.
func (d *Dataset) outcome(ctx context.Context, c Commit, cause error) (Snapshot, error) {
	if errors.Is(cause, ErrNotExist) {
		return Snapshot{}, cause
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	now, err := d.lake.load(ctx, d.id)
	if errors.Is(err, ErrNotExist) {
		return Snapshot{}, err
	}
	if err != nil {
		return Snapshot{}, fmt.Errorf("%w: %w", ErrUncertain, errors.Join(cause, err))
	}
	if now.table.Metadata().TableUUID() != d.table.Metadata().TableUUID() {
		return Snapshot{}, fmt.Errorf("%w: %s.%s was dropped and created anew", ErrNotExist, d.id.Namespace, d.id.Name)
	}
	name, value := propRunID, string(c.Run)
	if c.Run == "" {
		name, value = PropDir, c.Dir
	}
	if snap, ok := now.find(name, value); ok {
		return snap, nil
	}
	was, is := d.table.CurrentSnapshot(), now.table.CurrentSnapshot()
	if errors.Is(cause, table.ErrCommitFailed) || is != nil && (was == nil || was.SnapshotID != is.SnapshotID) {
		// The catalog replaces only the snapshot that was loaded.
		return Snapshot{}, fmt.Errorf("%w: %w", ErrConflict, cause)
	}
	if errors.Is(cause, errUnwritten) { // files are written before the catalog changes
		return Snapshot{}, fmt.Errorf("write the metadata of the snapshot: %w", cause)
	}
	return Snapshot{}, fmt.Errorf("%w: %w", ErrUncertain, cause)
}
