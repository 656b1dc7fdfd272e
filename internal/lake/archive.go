package lake

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"

	"roster/internal/blob"
)

// The metadata of a table lists only its newest snapshots, because each run and each reader parses the whole metadata.
// Older snapshots that can still be restored are in a history file. A property of the table names the history file.

// propHistory is the table property that contains the location of the history file.
const propHistory = "roster.history"

// historyFolder contains the history file. The folder lies in filesDir, because other engines remove orphan files.
// Earlier versions of Roster kept the history file beside the metadata, and read it there.
const historyFolder = "history"

// recentSnapshots is the number of snapshots that stay in the metadata when older ones are moved. Other engines see
// only these.
const recentSnapshots = 16

// previousMetadata is the number of earlier metadata files of a table that are kept.
const previousMetadata = "5"

// WithHistory returns the dataset with the snapshots of its history file. Snapshots, Versions, FindVersion and At of
// that dataset include all snapshots that are kept. If another program removed the history file, its snapshots are
// lost.
func (d *Dataset) WithHistory(ctx context.Context) (*Dataset, error) {
	location := d.table.Properties()[propHistory]
	if location == "" || d.older != nil {
		return d, nil
	}
	older, err := d.lake.files.readHistory(location)
	if err != nil {
		return nil, err
	}
	full := *d
	full.older = older
	return &full, nil
}

// lost reports whether an error means that another program has removed a file of a snapshot that only the history file
// names. Other programs do not know these snapshots.
func (d *Dataset) lost(snapshot int64, err error) bool {
	return errors.Is(err, blob.ErrNotExist) && d.table.SnapshotByID(snapshot) == nil
}

func (fs files) readHistory(location string) ([]table.Snapshot, error) {
	list := []table.Snapshot{}
	text, err := fs.readIfPresent(location)
	if err == nil && text != nil {
		err = json.Unmarshal(text, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("read the table's earlier versions from %s: %w; remove the file to give these versions up", location, err)
	}
	return list, nil
}

func (files files) readIfPresent(location string) ([]byte, error) {
	p, err := files.pathOf(location)
	if err != nil {
		return nil, err
	}
	f, err := files.openSums(p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, opened(p, err)
	}
	defer f.Close()
	return io.ReadAll(f)
}

// snapshots returns the snapshots of the metadata, oldest first. A dataset returned by WithHistory includes those of
// the history file.
func (d *Dataset) snapshots() []table.Snapshot {
	all := slices.Concat(d.older, d.table.Metadata().Snapshots())
	slices.SortFunc(all, func(a, b table.Snapshot) int {
		return cmp.Or(cmp.Compare(a.SequenceNumber, b.SequenceNumber), cmp.Compare(a.SnapshotID, b.SnapshotID))
	})
	return slices.CompactFunc(all, func(a, b table.Snapshot) bool { return a.SnapshotID == b.SnapshotID })
}

// NeedsArchive reports whether Archive has something to do.
func (d *Dataset) NeedsArchive() bool {
	return len(d.table.Metadata().Snapshots()) >= 2*recentSnapshots
}

// Archive moves older snapshots from the metadata into the history file if there are many. These stay in the metadata:
// the current snapshot, Roster's last commit, the last snapshot of a run, what branches and tags hold, and snapshots that
// another program has staged (write.wap.enabled) and not published. The snapshots are kept as long as before. The error
// is ErrConflict if the history changed at the same time.
func (d *Dataset) Archive(ctx context.Context) error {
	if !d.NeedsArchive() {
		return nil
	}
	d, err := d.WithHistory(ctx)
	if err != nil {
		return err
	}
	stay := d.held()
	recent := d.table.Metadata().Snapshots()
	slices.SortFunc(recent, func(a, b table.Snapshot) int { return cmp.Compare(b.SequenceNumber, a.SequenceNumber) })
	for _, last := range []func(Snapshot) bool{
		func(s Snapshot) bool { return s.Version != "" },
		func(s Snapshot) bool { return s.Run != "" },
	} {
		if i := slices.IndexFunc(recent, func(s table.Snapshot) bool { return last(snapshotOf(&s)) }); i >= 0 {
			stay[recent[i].SnapshotID] = true
		}
	}
	published, parent := map[string]bool{}, map[int64]bool{}
	for _, s := range recent {
		published[entryOf(&s, "published-wap-id")] = true
		parent[valueOf(s.ParentSnapshotID)] = true
	}
	for _, s := range recent {
		if staged := entryOf(&s, "wap.id"); staged != "" && !published[staged] && !parent[s.SnapshotID] {
			stay[s.SnapshotID] = true
		}
	}
	var ids []int64
	older := slices.Clone(d.older)
	for _, s := range recent[recentSnapshots:] {
		if !stay[s.SnapshotID] {
			ids = append(ids, s.SnapshotID)
			older = append(older, s)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return d.setHistory(ctx, ids, older)
}

// setHistory removes snapshots from the metadata and writes older as the content of the history file.
func (d *Dataset) setHistory(ctx context.Context, remove []int64, older []table.Snapshot) error {
	was := d.table.Properties()[propHistory]
	var updates []table.Update
	if len(remove) > 0 {
		updates = append(updates, table.NewRemoveSnapshotsUpdate(remove, false))
	}
	location := ""
	switch {
	case len(older) > 0:
		text, err := json.Marshal(older)
		if err != nil {
			return err
		}
		location = d.lake.files.locationOf(path.Join(filesDir(d.dir), historyFolder, uuid.NewString()+".json"))
		if err := d.lake.files.WriteFile(location, text); err != nil {
			return fmt.Errorf("write the table's earlier versions: %w", err)
		}
		updates = append(updates, table.NewSetPropertiesUpdate(iceberg.Properties{propHistory: location, table.MetadataPreviousVersionsMaxKey: previousMetadata}))
	case was != "":
		updates = append(updates, table.NewRemovePropertiesUpdate([]string{propHistory}))
	}
	_, err := atCommit(ctx, func(ctx context.Context) (table.Metadata, error) {
		return d.update(ctx, []table.Requirement{requireHistory(was)}, updates)
	})
	if errors.Is(err, table.ErrCommitFailed) {
		err = fmt.Errorf("%w: %w", ErrConflict, err)
	}
	if errors.Is(err, ErrConflict) && location != "" {
		err = errors.Join(err, d.lake.files.Remove(location))
	}
	return err
}

// requireHistory rejects a commit if the table has a different history file.
type requireHistory string

func (r requireHistory) GetType() string { return "assert-history-" + string(r) }

func (r requireHistory) Validate(m table.Metadata) error {
	if m.Properties()[propHistory] != string(r) {
		return fmt.Errorf("%w: the table's history file was replaced", ErrConflict)
	}
	return nil
}
