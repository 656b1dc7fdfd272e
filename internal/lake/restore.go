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

// stageRestore stages a snapshot whose manifests are those of an earlier one. They keep their sequence numbers, so
// that each position delete applies to what it applied to then, and no file is written but the list of them.
//
// The snapshot is made by hand: iceberg-go moves a branch back only among the ancestors of its head, and does not
// add a file again that the current snapshot records as removed.
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
	// Its parent is the version that it restores. If the snapshots in between were its ancestors, the Java API would take the data files that
	// these record as removed for dead when they expire, and delete them although the restored version has them.
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

// writeManifestList writes the list of a snapshot that has the manifests of another one.
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
	if meta.Version() >= 3 { // each row has an id there, which the list gives to rows that are added
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

// createManifestList begins the manifest list of a snapshot, and names it in the snapshot.
func (d *Dataset) createManifestList(snap *table.Snapshot) (*newFile, error) {
	f, err := d.lake.files.create(d.dir, fmt.Sprintf("metadata/snap-%d-0-%s.avro", snap.SnapshotID, uuid.NewString()))
	if err == nil {
		snap.ManifestList = f.location()
	}
	return f, err
}

// requireSnapshot refuses a commit when the table has that snapshot no longer: its files may be gone.
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

// removeMetadata removes the earlier metadata files that a new metadata file names no longer. One that cannot be removed is an orphan.
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

// update changes the table's metadata when it still is the same table and the requirements hold.
func (d *Dataset) update(ctx context.Context, reqs []table.Requirement, updates []table.Update) (table.Metadata, error) {
	reqs = append(reqs, table.AssertTableUUID(d.table.Metadata().TableUUID()))
	meta, _, err := d.lake.catalog.CommitTable(ctx, d.id.ident(), reqs, updates)
	if err != nil {
		return nil, err
	}
	d.removeMetadata(meta)
	return meta, nil
}
