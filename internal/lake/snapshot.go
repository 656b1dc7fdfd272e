package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/iceberg-go/table"

	"roster/internal/audience"
)

// Snapshot is a version of a table. Props are the entries of its summary that Roster wrote.
type Snapshot struct {
	ID       int64
	ParentID int64 // 0 for the first snapshot
	Seq      int64
	Time     time.Time
	// Run is the run that committed the snapshot; "" if maintenance or another program did.
	Run audience.RunID
	// Version is the run whose members the snapshot contains: Run, or for a snapshot of maintenance the last run before
	// it. "" if another program made the snapshot.
	Version audience.RunID
	Props   map[string]string
}

// Entries of a snapshot's summary. Roster's names begin with propPrefix. The others are Iceberg's.
const (
	propPrefix  = "roster."
	propRunID   = "roster.run-id"
	propVersion = "roster.version"   // of a snapshot of maintenance: the run whose members it contains
	PropDir     = "roster.dir"       // the directory of the attempt that committed
	propLive    = "roster.live-rows" // rows of the table after the snapshot

	propTotalRecords     = "total-records"
	propTotalDeletes     = "total-position-deletes"
	propTotalFiles       = "total-data-files"
	propTotalDeleteFiles = "total-delete-files"
	propTotalFileSize    = "total-files-size"
)

func snapshotOf(s *table.Snapshot) Snapshot {
	out := Snapshot{ID: s.SnapshotID, Seq: s.SequenceNumber, Time: time.UnixMilli(s.TimestampMs), Props: map[string]string{}}
	if s.ParentSnapshotID != nil {
		out.ParentID = *s.ParentSnapshotID
	}
	if s.Summary != nil {
		for name, v := range s.Summary.Properties {
			if strings.HasPrefix(name, propPrefix) {
				out.Props[name] = v
			}
		}
	}
	out.Run = audience.RunID(out.Props[propRunID])
	out.Version = cmp.Or(out.Run, audience.RunID(out.Props[propVersion]))
	return out
}

// entryOf returns an entry of a snapshot's summary; "" if there is none.
func entryOf(s *table.Snapshot, name string) string {
	if s.Summary == nil {
		return ""
	}
	return s.Summary.Properties[name]
}

// Current returns the dataset's snapshot: the current one of the table, or the one that At selected. False means that
// the table has none.
func (d *Dataset) Current() (Snapshot, bool) {
	if d.snap == nil {
		return Snapshot{}, false
	}
	return snapshotOf(d.snap), true
}

// Basis returns the snapshot whose entries contain what the last run or maintenance stored for the next run. Snapshots
// of other programs do not have these entries. So Basis is the dataset's own snapshot or its nearest ancestor that
// Roster committed. If the table has no such ancestor any more, Basis is the newest earlier snapshot of Roster. False
// means that there is none.
func (d *Dataset) Basis() (Snapshot, bool) {
	now, ok := d.Current()
	if !ok || now.Version != "" {
		return now, ok
	}
	all := d.Snapshots()
	byID := map[int64]Snapshot{}
	for _, s := range all {
		byID[s.ID] = s
	}
	for s, known := now, true; known; s, known = byID[s.ParentID] {
		if s.Version != "" {
			return s, true
		}
		delete(byID, s.ID) // damaged metadata may contain a cycle
	}
	for _, s := range slices.Backward(all) {
		if s.Version != "" && s.Seq < now.Seq {
			return s, true
		}
	}
	return Snapshot{}, false
}

// Versions returns the versions of the table, oldest first. A version is the newest snapshot that contains the members
// of a run. Versions in the history file are included only for a dataset returned by WithHistory.
func (d *Dataset) Versions() []Snapshot {
	var out []Snapshot
	seen := map[audience.RunID]bool{"": true}
	for _, s := range slices.Backward(d.Snapshots()) {
		if !seen[s.Version] {
			seen[s.Version] = true
			out = append(out, s)
		}
	}
	slices.Reverse(out)
	return out
}

// FindVersion returns the version of a run; false if the table does not have it, or no longer has it.
func (d *Dataset) FindVersion(run audience.RunID) (Snapshot, bool) {
	for _, s := range d.Versions() {
		if s.Version == run {
			return s, true
		}
	}
	return Snapshot{}, false
}

// Snapshots returns the snapshots, oldest first. Those in the history file are included only for a dataset returned by
// WithHistory.
func (d *Dataset) Snapshots() []Snapshot {
	var out []Snapshot
	for _, s := range d.snapshots() {
		out = append(out, snapshotOf(&s))
	}
	return out
}

// At returns the dataset at a snapshot. The result can be read, but Commit fails. The error is ErrNotExist if the table
// does not have the snapshot, or no longer has it.
func (d *Dataset) At(id int64) (*Dataset, error) {
	s := d.table.SnapshotByID(id)
	if i := slices.IndexFunc(d.older, func(s table.Snapshot) bool { return s.SnapshotID == id }); s == nil && i >= 0 {
		s = &d.older[i]
	}
	if s == nil {
		return nil, fmt.Errorf("%w: snapshot %d of %s.%s", ErrNotExist, id, d.id.Namespace, d.id.Name)
	}
	then := *d
	then.snap = s
	then.past = true
	return &then, nil
}

// Dropped reports whether the table has lost the dataset's snapshot since the dataset was loaded, so that the files of
// the snapshot may be gone.
func (d *Dataset) Dropped(ctx context.Context) (bool, error) {
	now, err := d.lake.Load(ctx, d.id)
	if err == nil && d.snap != nil {
		_, err = now.At(d.snap.SnapshotID)
	}
	if errors.Is(err, ErrNotExist) {
		return true, nil
	}
	return false, err
}

// FindRun returns the snapshot that the run committed; false if the table does not have it, or no longer has it. Even
// then, FindVersion may return a snapshot with the run's members.
func (d *Dataset) FindRun(run audience.RunID) (Snapshot, bool) { return d.find(propRunID, string(run)) }

// find returns the snapshot whose summary has the given entry.
func (d *Dataset) find(name, value string) (Snapshot, bool) {
	for _, s := range d.table.Metadata().Snapshots() {
		if value != "" && entryOf(&s, name) == value {
			return snapshotOf(&s), true
		}
	}
	return Snapshot{}, false
}
