package lake

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/iceberg-go/table"
)

// stageRestore stages a snapshot that has the manifests of an earlier one. The manifests keep their sequence numbers,
// so each position delete applies to the same files as before. The only new file is the manifest list.
func (d *Dataset) stageRestore(ctx context.Context, c Commit) (stagedCommit, error) {
	if c.Replace || len(c.Add)+len(c.Deletes) > 0 {
		return nil, errors.New("a restored snapshot with changes")
	}
	full, err := d.WithHistory(ctx)
	if err != nil {
		return nil, err
	}
	then, err := full.At(c.Restore)
	if err != nil {
		return nil, err
	}
	if err := then.Complete(ctx); err != nil {
		return nil, err
	}
	props := d.summaryOf(c, then.Rows())
	if then.snap.Summary != nil {
		for name, v := range then.snap.Summary.Properties {
			if strings.HasPrefix(name, "total-") {
				props[name] = v
			}
		}
	}
	// The parent is the restored version. If the snapshots in between were ancestors, the Java API would delete the
	// data files that they record as removed when they expire, although the restored version still has these files.
	snap := d.nextSnapshot(rand.Int64(), then.snap, table.OpOverwrite, props)
	if err := d.writeManifestList(ctx, snap, then.snap); err != nil {
		return nil, fmt.Errorf("write the list of the manifests of snapshot %d: %w", c.Restore, err)
	}
	return d.stageSnapshot(snap, requireSnapshot{d.lake.files, c.Restore}), nil
}

// Complete checks that the files of the snapshot still exist if only the history file names the snapshot. The error is
// ErrNotExist if another program has removed one of them.
func (d *Dataset) Complete(ctx context.Context) error {
	if d.table.SnapshotByID(d.snap.SnapshotID) != nil {
		return nil
	}
	data, deletes, err := d.liveFiles(ctx)
	for _, f := range slices.Concat(data, deletes) {
		if err == nil {
			err = d.lake.files.exists(ctx, f.FilePath())
		}
	}
	if d.lost(d.snap.SnapshotID, err) {
		return fmt.Errorf("%w: another program has removed files of snapshot %d", ErrNotExist, d.snap.SnapshotID)
	}
	return err
}

// writeManifestList writes the manifest list of a snapshot that has the manifests of another one.
func (d *Dataset) writeManifestList(ctx context.Context, snap, then *table.Snapshot) error {
	fs, err := d.table.FS(ctx)
	if err != nil {
		return err
	}
	manifests, err := then.Manifests(fs)
	if err != nil {
		return err
	}
	f, err := d.createManifestList(snap)
	if err != nil {
		return err
	}
	return d.writeList(f, snap, manifests)
}

// requireSnapshot rejects a commit if the table no longer has the snapshot, because its files may be gone.
type requireSnapshot struct {
	in files
	id int64
}

func (r requireSnapshot) GetType() string {
	return "assert-snapshot-" + strconv.FormatInt(r.id, 10)
}

func (r requireSnapshot) Validate(m table.Metadata) error {
	if m != nil && m.SnapshotByID(r.id) != nil {
		return nil
	}
	if m != nil && m.Properties()[propHistory] != "" {
		older, err := r.in.readHistory(m.Properties()[propHistory])
		if err != nil || slices.ContainsFunc(older, func(s table.Snapshot) bool { return s.SnapshotID == r.id }) {
			return err
		}
	}
	return fmt.Errorf("%w: snapshot %d expired", ErrNotExist, r.id)
}

// removeMetadata removes the earlier metadata files that the new metadata no longer names. A file that cannot be
// removed becomes an orphan.
func (d *Dataset) removeMetadata(now table.Metadata) {
	named := map[string]bool{}
	for e := range now.PreviousFiles() {
		named[e.MetadataFile] = true
	}
	for e := range d.table.Metadata().PreviousFiles() {
		if !named[e.MetadataFile] {
			_ = d.lake.files.Remove(e.MetadataFile)
		}
	}
}

// update changes the table's metadata if the table is still the same and the requirements hold.
func (d *Dataset) update(ctx context.Context, reqs []table.Requirement, updates []table.Update) (table.Metadata, error) {
	reqs = append(reqs, table.AssertTableUUID(d.table.Metadata().TableUUID()))
	meta, _, err := d.lake.catalog.CommitTable(ctx, d.id.ident(), reqs, updates)
	if err != nil {
		return nil, err
	}
	d.removeMetadata(meta)
	return meta, nil
}
