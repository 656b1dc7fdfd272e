package lake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
)

// DamagedFile returns the file that an ErrDamaged describes, as a path below the directory of all tables. For other
// errors, it returns "".
func DamagedFile(err error) string {
	var d *damagedError
	if errors.As(err, &d) {
		return d.place
	}
	return ""
}

// Salvaged are the readable rows of a snapshot with damaged files.
type Salvaged struct {
	State   *State   // the data files that are not damaged
	Damaged []string // damaged files, as paths below the directory of all tables
	Lost    int64    // live rows in damaged data files, or in data files with damaged position deletes
}

// Salvage reads all files of the snapshot and leaves out the damaged ones.
func (d *Dataset) Salvage(ctx context.Context, opts StateOptions) (*Salvaged, error) {
	s := &Salvaged{State: &State{opts: opts, in: d.lake.files}}
	all, err := d.OpenState(ctx, opts)
	if errors.Is(err, ErrDamaged) { // the list of files, or the list of deleted rows, is unknown
		s.Damaged, s.Lost = []string{DamagedFile(err)}, d.Rows()
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	live := int64(0)
	for i, f := range all.data {
		err := f.verify(ctx)
		if errors.Is(err, ErrDamaged) {
			s.Damaged = append(s.Damaged, DamagedFile(err))
			continue
		}
		if err != nil {
			return nil, err
		}
		s.State.data, s.State.files = append(s.State.data, f), append(s.State.files, all.files[i])
		live += f.Rows - f.deleted.count()
	}
	s.Lost = d.Rows() - live
	return s, nil
}

func (b bitmap) count() (n int64) {
	for _, word := range b {
		n += int64(bits.OnesCount64(word))
	}
	return n
}

// verify reads the whole file and decodes the columns that a merge needs, because the file may have no checksums.
func (f *stateFile) verify(ctx context.Context) error {
	path, err := pathOf(f.Path)
	if err != nil {
		return err
	}
	if err := f.in.verifyFile(ctx, path); err != nil {
		return err
	}
	foot, err := f.footer()
	for g := 0; err == nil && g < len(foot.groups); g++ {
		if err = ctx.Err(); err == nil {
			err = decodeGroup(g, foot)
		}
	}
	return unreadable(ctx.Err(), f.Path, err)
}

func decodeGroup(index int, foot *footer) (err error) {
	defer recovered(&err)
	return (&stateGroup{index: index}).read(foot)
}

// verifyFile reads a whole file and checks its checksums.
func (fs files) verifyFile(ctx context.Context, path string) error {
	f, err := fs.openSums(path)
	if err != nil {
		return opened(path, err)
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, &contextReader{ctx, f})
	return err
}

// contextReader returns the context's error after the context ends.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// stageAnew stages a snapshot with the added files only. It does not read the manifests of the current snapshot, which
// may be damaged.
func (d *Dataset) stageAnew(ctx context.Context, c Commit) (stagedCommit, error) {
	meta := d.table.Metadata()
	schema := meta.CurrentSchema().ID
	snap := &table.Snapshot{SnapshotID: rand.Int64(), SequenceNumber: meta.LastSequenceNumber() + 1, TimestampMs: time.Now().UnixMilli(), SchemaID: &schema}
	reqs := []table.Requirement{table.AssertRefSnapshotID(table.MainBranch, nil)}
	if d.snap != nil {
		snap.ParentSnapshotID = &d.snap.SnapshotID
		reqs = []table.Requirement{table.AssertRefSnapshotID(table.MainBranch, snap.ParentSnapshotID)}
	}
	props := d.summaryOf(c, d.rowsAfter(c))
	records, size := int64(0), int64(0)
	for _, f := range c.Add {
		records, size = records+f.Rows, size+f.Bytes
	}
	for name, n := range map[string]int64{"total-data-files": int64(len(c.Add)), "total-delete-files": 0, propTotalDeletes: 0, "total-equality-deletes": 0,
		propTotalRecords: records, propTotalFileSize: size, "added-data-files": int64(len(c.Add)), "added-records": records, "added-files-size": size} {
		props[name] = strconv.FormatInt(n, 10)
	}
	snap.Summary = &table.Summary{Operation: table.OpOverwrite, Properties: props}
	if err := d.writeAnew(snap, c.Add); err != nil {
		return nil, err
	}
	return func(ctx context.Context) (table.Metadata, error) {
		return d.update(ctx, reqs, []table.Update{table.NewAddSnapshotUpdate(snap), table.NewSetSnapshotRefUpdate(table.MainBranch, snap.SnapshotID, table.BranchRef, 0, 0, 0)})
	}, nil
}

// writeAnew writes the manifest of the added files and the manifest list.
func (d *Dataset) writeAnew(snap *table.Snapshot, add []DataFile) error {
	var manifests []iceberg.ManifestFile
	version := d.table.Metadata().Version()
	if len(add) > 0 {
		entries := make([]iceberg.ManifestEntry, len(add))
		for i, f := range add {
			entries[i] = iceberg.NewManifestEntryBuilder(iceberg.EntryStatusADDED, &snap.SnapshotID, f.file).Build()
		}
		f, err := d.lake.files.create(d.dir, "metadata/"+uuid.NewString()+"-m0.avro")
		if err != nil {
			return err
		}
		m, err := iceberg.WriteManifest(f.location(), f, version, d.table.Spec(), d.table.Schema(), snap.SnapshotID, entries)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("write a manifest: %w", err)
		}
		manifests = append(manifests, m)
	}
	f, err := d.createManifestList(snap)
	if err != nil {
		return err
	}
	return d.writeList(f, snap, manifests)
}
