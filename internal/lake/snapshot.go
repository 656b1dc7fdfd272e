package lake

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/iceberg-go/table"

	"roster/internal/audience"
)

// Snapshot is a state of a table. Props are the entries of its summary that Roster wrote.
type Snapshot struct {
	ID       int64
	ParentID int64 // 0 for the first
	Seq      int64
	Time     time.Time
	// Run is the run that committed the snapshot, "" when maintenance or another program did.
	Run audience.RunID
	// Version is the run whose members the snapshot has: Run, or the last run before maintenance put its rows into
	// other files. "" when another program made the snapshot.
	Version audience.RunID
	Props   map[string]string
}

// Summary entries of a snapshot: Roster's begin with propPrefix, the others are Iceberg's.
const (
	propPrefix  = "roster."
	propRunID   = "roster.run-id"
	propVersion = "roster.version"   // of a snapshot of maintenance: the run whose members it has
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

// Current returns the snapshot that the dataset shows: the table's newest one, or the one that At was asked for.
// False when the table has none.
func (d *Dataset) Current() (Snapshot, bool) {
	if d.snap == nil {
		return Snapshot{}, false
	}
	return snapshotOf(d.snap), true
}

// Basis returns the snapshot that says what the last run or maintenance left for the next run. Snapshots of other programs do not have
// these entries, so Basis is the nearest ancestor that Roster committed, or the dataset's own snapshot. If all such ancestors are gone
// from the table, Basis is the newest earlier snapshot of Roster. False if the table has none.
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
		delete(byID, s.ID) // damaged metadata may go round in circles
	}
	for _, s := range slices.Backward(all) {
		if s.Version != "" && s.Seq < now.Seq {
			return s, true
		}
	}
	return Snapshot{}, false
}

// Versions returns the newest versions of the table, of a dataset WithHistory all that are kept, oldest first: of each run whose members are kept the
// newest snapshot that has them.
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

// FindVersion returns the version of a run; false when the table has none, or has it no longer.
func (d *Dataset) FindVersion(run audience.RunID) (Snapshot, bool) {
	for _, s := range d.Versions() {
		if s.Version == run {
			return s, true
		}
	}
	return Snapshot{}, false
}

// Snapshots returns the newest snapshots, oldest first; of a dataset WithHistory all snapshots that are kept.
func (d *Dataset) Snapshots() []Snapshot {
	var out []Snapshot
	for _, s := range d.snapshots() {
		out = append(out, snapshotOf(&s))
	}
	return out
}

// At returns the dataset as it was after a snapshot. It can be read, not committed to. ErrNotExist when the table
// has no such snapshot, or has it no longer.
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

// FindRun returns the snapshot that the run committed; false when the table has none, or has it no longer: then
// FindVersion may still have the run's members.
func (d *Dataset) FindRun(run audience.RunID) (Snapshot, bool) { return d.find(propRunID, string(run)) }

// find returns the snapshot with that entry in its summary.
func (d *Dataset) find(name, value string) (Snapshot, bool) {
	for _, s := range d.table.Metadata().Snapshots() {
		if s.Summary != nil && value != "" && s.Summary.Properties[name] == value {
			return snapshotOf(&s), true
		}
	}
	return Snapshot{}, false
}
