package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"

	"roster/internal/audience"
)

// Roster builds its snapshots without iceberg-go's transactions. These escape the locations of manifests and manifest
// lists, cannot roll back to a version that is no ancestor, and cannot fold files beside runs.

// manifest is a manifest of a snapshot with its live entries.
type manifest struct {
	file    iceberg.ManifestFile
	entries []iceberg.ManifestEntry
}

// manifests reads the manifests of the snapshot.
func (d *Dataset) manifests(ctx context.Context) ([]manifest, error) {
	if d.snap == nil {
		return nil, nil
	}
	fs, err := d.table.FS(ctx)
	if err != nil {
		return nil, err
	}
	files, err := d.snap.Manifests(fs)
	if err != nil {
		return nil, fmt.Errorf("read the manifests of snapshot %d: %w", d.snap.SnapshotID, unreadable(ctx.Err(), d.snap.ManifestList, err))
	}
	list := make([]manifest, len(files))
	for i, f := range files {
		list[i].file = f
		for e, err := range f.Entries(fs, true) {
			if err != nil {
				return nil, fmt.Errorf("read the manifest %s: %w", f.FilePath(), unreadable(ctx.Err(), f.FilePath(), err))
			}
			if e.DataFile().ContentType() == iceberg.EntryContentEqDeletes {
				return nil, audience.Errorf(audience.Impossible, "the audience's table has equality deletes, which another program wrote and Roster does not read: rewrite the table's data files with that program (in Spark: CALL system.rewrite_data_files with the option delete-file-threshold set to 1)")
			}
			list[i].entries = append(list[i].entries, e)
		}
	}
	return list, nil
}

// filesOf returns the data files and the position delete files of manifests.
func filesOf(manifests []manifest) (data, deletes []iceberg.DataFile) {
	for _, m := range manifests {
		for _, e := range m.entries {
			if df := e.DataFile(); isData(df) {
				data = append(data, df)
			} else {
				deletes = append(deletes, df)
			}
		}
	}
	return data, deletes
}

func isData(df iceberg.DataFile) bool { return df.ContentType() == iceberg.EntryContentData }

// newSnapshot is a snapshot that is being built. Its parent is the snapshot of the dataset.
type newSnapshot struct {
	d       *Dataset
	id      int64
	spec    int                                     // the partition spec of new files
	carried []iceberg.ManifestFile                  // manifests of the parent that stay
	entries map[manifestKey][]iceberg.ManifestEntry // of new manifests
	totals  map[string]int64                        // for the summary
}

// manifestKey distinguishes the manifests of a snapshot: a manifest has files of one kind and one partition spec.
type manifestKey struct {
	content iceberg.ManifestContent
	spec    int
}

func (d *Dataset) newSnapshot() (*newSnapshot, error) {
	spec, err := d.spec()
	s := &newSnapshot{d: d, spec: spec.ID(), id: rand.Int64(), entries: map[manifestKey][]iceberg.ManifestEntry{}, totals: map[string]int64{}}
	for _, name := range []string{propTotalFiles, propTotalDeleteFiles, propTotalRecords, propTotalDeletes, propTotalFileSize, "total-equality-deletes"} {
		s.totals[name] = 0
	}
	return s, err
}

// carry takes over a manifest of the parent as it is, unless it has no live entries.
func (s *newSnapshot) carry(m manifest) {
	if len(m.entries) > 0 {
		s.carried = append(s.carried, m.file)
	}
	for _, e := range m.entries {
		s.countTotal(e.DataFile())
	}
}

// keep takes over an entry of the parent into a new manifest.
func (s *newSnapshot) keep(e iceberg.ManifestEntry) {
	s.append(e, iceberg.EntryStatusEXISTING, e.SnapshotID())
	s.countTotal(e.DataFile())
}

// remove records that an entry of the parent is not in the snapshot.
func (s *newSnapshot) remove(e iceberg.ManifestEntry) {
	s.append(e, iceberg.EntryStatusDELETED, s.id)
	s.count(e.DataFile(), [2]string{"deleted-data-files", "removed-delete-files"}, [2]string{"deleted-records", "removed-position-deletes"}, "removed-files-size")
}

func (s *newSnapshot) append(e iceberg.ManifestEntry, status iceberg.ManifestEntryStatus, snapshot int64) {
	df, seq := e.DataFile(), e.SequenceNum()
	key := s.key(df, int(df.SpecID()))
	s.entries[key] = append(s.entries[key], iceberg.NewManifestEntry(status, &snapshot, &seq, e.FileSequenceNum(), df))
}

// add adds a new file.
func (s *newSnapshot) add(df iceberg.DataFile) {
	key := s.key(df, s.spec)
	s.entries[key] = append(s.entries[key], iceberg.NewManifestEntry(iceberg.EntryStatusADDED, &s.id, nil, nil, df))
	s.count(df, [2]string{"added-data-files", "added-delete-files"}, [2]string{"added-records", "added-position-deletes"}, "added-files-size")
	s.countTotal(df)
}

func (s *newSnapshot) key(df iceberg.DataFile, spec int) manifestKey {
	if isData(df) {
		return manifestKey{iceberg.ManifestContentData, spec}
	}
	return manifestKey{iceberg.ManifestContentDeletes, spec}
}

func (s *newSnapshot) countTotal(df iceberg.DataFile) {
	s.count(df, [2]string{propTotalFiles, propTotalDeleteFiles}, [2]string{propTotalRecords, propTotalDeletes}, propTotalFileSize)
}

func (s *newSnapshot) count(df iceberg.DataFile, files, rows [2]string, size string) {
	n := 0
	if !isData(df) {
		n = 1
	}
	s.totals[files[n]]++
	s.totals[rows[n]] += df.Count()
	s.totals[size] += df.FileSizeBytes()
}

// write writes the manifests and the manifest list, and stages the snapshot as the next one of the table.
func (s *newSnapshot) write(op table.Operation, summary iceberg.Properties) (stagedCommit, error) {
	for name, n := range s.totals {
		summary[name] = strconv.FormatInt(n, 10)
	}
	keys := make([]manifestKey, 0, len(s.entries))
	for key := range s.entries {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b manifestKey) int {
		return cmp.Or(cmp.Compare(a.content, b.content), cmp.Compare(a.spec, b.spec))
	})
	list := make([]iceberg.ManifestFile, 0, len(keys)+len(s.carried))
	for _, key := range keys {
		m, err := s.writeManifest(key)
		if err != nil {
			return nil, fmt.Errorf("write a manifest: %w", err)
		}
		list = append(list, m)
	}
	snap := s.d.nextSnapshot(s.id, s.d.snap, op, summary)
	f, err := s.d.createManifestList(snap)
	if err == nil {
		err = s.d.writeList(f, snap, append(list, s.carried...))
	}
	if err != nil {
		return nil, fmt.Errorf("write the list of manifests: %w", err)
	}
	return s.d.stageSnapshot(snap), nil
}

func (s *newSnapshot) writeManifest(key manifestKey) (iceberg.ManifestFile, error) {
	meta := s.d.table.Metadata()
	spec := meta.PartitionSpecByID(key.spec)
	if spec == nil {
		return nil, fmt.Errorf("the table has no partition spec %d", key.spec)
	}
	file, err := s.d.lake.files.create(s.d.dir, path.Join("metadata", uuid.NewString()+"-m0.avro"))
	if err != nil {
		return nil, err
	}
	out := &countingWriter{w: file}
	w, err := iceberg.NewManifestWriter(meta.Version(), out, *spec, meta.CurrentSchema(), s.id, iceberg.WithManifestWriterContent(key.content))
	if err != nil {
		file.abandon()
		if !spec.IsUnpartitioned() { // such as a name with a space or a dot, which iceberg-go cannot write
			err = audience.Errorf(audience.Impossible, "another program partitioned the audience's table in a way that Roster cannot record (%v): "+
				"drop the partition field and rewrite the data files with that program (in Spark: ALTER TABLE ... DROP PARTITION FIELD, then CALL system.rewrite_data_files with the option rewrite-all)", err)
		}
		return nil, err
	}
	for _, e := range s.entries[key] {
		if err := writeEntry(w, e); err != nil {
			file.abandon()
			return nil, err
		}
	}
	if err := errors.Join(w.Close(), file.Close()); err != nil {
		return nil, err
	}
	return w.ToManifestFile(file.location(), out.n, iceberg.WithManifestFileContent(key.content))
}

func writeEntry(w *iceberg.ManifestWriter, e iceberg.ManifestEntry) error {
	switch e.Status() {
	case iceberg.EntryStatusADDED:
		return w.Add(e)
	case iceberg.EntryStatusDELETED:
		return w.Delete(e)
	}
	return w.Existing(e)
}

// nextSnapshot returns a snapshot that follows the current one, without its list of manifests.
func (d *Dataset) nextSnapshot(id int64, parent *table.Snapshot, op table.Operation, summary iceberg.Properties) *table.Snapshot {
	meta := d.table.Metadata()
	schema := meta.CurrentSchema().ID
	snap := &table.Snapshot{
		SnapshotID: id, SequenceNumber: meta.LastSequenceNumber() + 1, TimestampMs: time.Now().UnixMilli(), SchemaID: &schema,
		Summary: &table.Summary{Operation: op, Properties: summary},
	}
	if d.snap != nil {
		snap.TimestampMs = max(snap.TimestampMs, d.snap.TimestampMs)
	}
	if parent != nil {
		snap.ParentSnapshotID = &parent.SnapshotID
	}
	return snap
}

// stageSnapshot stages a snapshot as the current one, if that of the dataset still is the current one.
func (d *Dataset) stageSnapshot(snap *table.Snapshot, reqs ...table.Requirement) stagedCommit {
	var now *int64
	if d.snap != nil {
		now = &d.snap.SnapshotID
	}
	reqs = append(reqs, table.AssertRefSnapshotID(table.MainBranch, now))
	// What other engines set for the branch stays.
	var refAge, age int64
	var keep int
	for name, ref := range d.table.Metadata().Refs() {
		if name == table.MainBranch {
			refAge, age, keep = valueOf(ref.MaxRefAgeMs), valueOf(ref.MaxSnapshotAgeMs), valueOf(ref.MinSnapshotsToKeep)
		}
	}
	updates := []table.Update{
		table.NewAddSnapshotUpdate(snap), table.NewSetSnapshotRefUpdate(table.MainBranch, snap.SnapshotID, table.BranchRef, refAge, age, keep),
	}
	if own := snapshotOf(snap); own.Version != "" {
		updates = append(updates, table.NewSetPropertiesUpdate(iceberg.Properties{propLast: commitOf(own)}))
	}
	return func(ctx context.Context) (table.Metadata, error) { return d.update(ctx, reqs, updates) }
}

func valueOf[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// createManifestList creates the manifest list of a snapshot and sets its location in the snapshot.
func (d *Dataset) createManifestList(snap *table.Snapshot) (*newFile, error) {
	f, err := d.lake.files.create(d.dir, fmt.Sprintf("metadata/snap-%d-0-%s.avro", snap.SnapshotID, uuid.NewString()))
	if err == nil {
		snap.ManifestList = f.location()
	}
	return f, err
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
