package lake

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
)

// stageRestore stages a snapshot that has the manifests of an earlier one. The manifests keep their sequence numbers,
// so each position delete applies to the same files as before. The only new file is the manifest list.
//
// The snapshot is built without iceberg-go's transactions. In iceberg-go, a branch can only be rolled back to an
// ancestor of its head, and a file that the current snapshot records as removed cannot be added again.
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
	props := d.summaryOf(c, then.Rows())
	if then.snap.Summary != nil {
		for name, v := range then.snap.Summary.Properties {
			if strings.HasPrefix(name, "total-") {
				props[name] = v
			}
		}
	}
	meta := d.table.Metadata()
	schema := meta.CurrentSchema().ID
	// The parent is the restored version. If the snapshots in between were ancestors, the Java API would delete the
	// data files that they record as removed when they expire, although the restored version still has these files.
	snap := &table.Snapshot{
		SnapshotID: rand.Int64(), ParentSnapshotID: &then.snap.SnapshotID, SequenceNumber: meta.LastSequenceNumber() + 1,
		TimestampMs: time.Now().UnixMilli(), SchemaID: &schema,
		Summary: &table.Summary{Operation: table.OpOverwrite, Properties: props},
	}
	if err := d.writeManifestList(ctx, snap, then.snap); err != nil {
		return nil, fmt.Errorf("write the list of the manifests of snapshot %d: %w", c.Restore, err)
	}
	return func(ctx context.Context) (table.Metadata, error) {
		return d.update(ctx, []table.Requirement{
			table.AssertRefSnapshotID(table.MainBranch, &d.snap.SnapshotID), requireSnapshot{d.lake.files, c.Restore},
		}, []table.Update{
			table.NewAddSnapshotUpdate(snap),
			table.NewSetSnapshotRefUpdate(table.MainBranch, snap.SnapshotID, table.BranchRef, 0, 0, 0),
		})
	}, nil
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

// writeList writes a manifest list and closes its file.
func (d *Dataset) writeList(f *newFile, snap *table.Snapshot, manifests []iceberg.ManifestFile) error {
	meta := d.table.Metadata()
	first := meta.NextRowID()
	err := iceberg.WriteManifestList(meta.Version(), f, snap.SnapshotID, snap.ParentSnapshotID, &snap.SequenceNumber, first, manifests)
	if meta.Version() >= 3 { // each row has an id; the list assigns ids to added rows
		added := int64(0)
		for _, m := range manifests {
			if m.SnapshotID() == snap.SnapshotID && m.ManifestContent() == iceberg.ManifestContentData {
				added += m.AddedRows() + m.ExistingRows()
			}
		}
		snap.FirstRowID, snap.AddedRows = &first, &added
	}
	return errors.Join(err, f.Close())
}

// createManifestList creates the manifest list of a snapshot and sets its location in the snapshot.
func (d *Dataset) createManifestList(snap *table.Snapshot) (*newFile, error) {
	f, err := d.lake.files.create(d.dir, fmt.Sprintf("metadata/snap-%d-0-%s.avro", snap.SnapshotID, uuid.NewString()))
	if err == nil {
		snap.ManifestList = f.location()
	}
	return f, err
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
