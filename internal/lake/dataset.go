package lake

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"roster/internal/audience"
)

// Dataset is the state of a table at one moment; later commits do not change what it shows.
type Dataset struct {
	lake   *Lake
	id     TableID
	table  *table.Table
	dir    string
	schema *arrow.Schema
}

// Snapshot is one version of a table. Props are the entries of its summary that Roster wrote.
type Snapshot struct {
	ID       int64
	ParentID int64 // 0 for the first
	Seq      int64
	Time     time.Time
	Props    map[string]string
}

// Summary entries of a snapshot: Roster's begin with propPrefix, the others are Iceberg's.
const (
	propPrefix        = "roster."
	propRunID         = "roster.run-id"
	propLive          = "roster.live-rows" // rows of the table after the snapshot
	propTotalRecords  = "total-records"
	propTotalDeletes  = "total-position-deletes"
	propTotalFileSize = "total-files-size"
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
	return out
}

// Location is the table's directory as a URI; its newest metadata file is MetadataLocation.
func (d *Dataset) Location() string { return d.table.Location() }

// MetadataLocation is the URI of the table's current metadata file, which any Iceberg reader can open.
func (d *Dataset) MetadataLocation() string { return d.table.MetadataLocation() }

// Current returns the current snapshot; false when the table has none.
func (d *Dataset) Current() (Snapshot, bool) {
	s := d.table.CurrentSnapshot()
	if s == nil {
		return Snapshot{}, false
	}
	return snapshotOf(s), true
}

// FindRun returns the snapshot that the run committed; false when the table's history has none.
func (d *Dataset) FindRun(run audience.RunID) (Snapshot, bool) {
	for _, s := range d.table.Metadata().Snapshots() {
		if s.Summary != nil && s.Summary.Properties[propRunID] == string(run) {
			return snapshotOf(&s), true
		}
	}
	return Snapshot{}, false
}

// Schema is what FileWriter.Write takes: the audience's fields, then the system columns.
func (d *Dataset) Schema() *arrow.Schema { return d.schema }

// Rows is the number of live rows.
func (d *Dataset) Rows() int64 {
	if d.table.CurrentSnapshot() == nil {
		return 0
	}
	if n, ok := d.summary(propLive); ok {
		return n
	}
	// Another program made the snapshot: Iceberg's totals count a position that is deleted twice twice.
	rows, _ := d.summary(propTotalRecords)
	deleted, _ := d.summary(propTotalDeletes)
	return rows - deleted
}

// Bytes is the size of the live files, those of position deletes among them.
func (d *Dataset) Bytes() int64 {
	n, _ := d.summary(propTotalFileSize)
	return n
}

// summary returns a number of the current snapshot's summary.
func (d *Dataset) summary(name string) (int64, bool) {
	s := d.table.CurrentSnapshot()
	if s == nil || s.Summary == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(s.Summary.Properties[name], 10, 64)
	return n, err == nil
}

// liveFiles returns the data files and the position delete files of the current snapshot.
func (d *Dataset) liveFiles(ctx context.Context) (data, deletes []iceberg.DataFile, err error) {
	snap := d.table.CurrentSnapshot()
	if snap == nil {
		return nil, nil, nil
	}
	fs, err := d.table.FS(ctx)
	if err != nil {
		return nil, nil, err
	}
	manifests, err := snap.Manifests(fs)
	if err != nil {
		return nil, nil, fmt.Errorf("read the manifests of snapshot %d: %w", snap.SnapshotID, err)
	}
	for _, m := range manifests {
		for e, err := range m.Entries(fs, true) {
			if err != nil {
				return nil, nil, fmt.Errorf("read the manifest %s: %w", m.FilePath(), err)
			}
			switch df := e.DataFile(); df.ContentType() {
			case iceberg.EntryContentData:
				data = append(data, df)
			case iceberg.EntryContentPosDeletes:
				deletes = append(deletes, df)
			default:
				return nil, nil, errors.New("the table has equality deletes, which another program wrote and Roster does not read: rewrite its data files with that program")
			}
		}
	}
	return data, deletes, nil
}
