package lake

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"roster/internal/blob"
)

// Dataset is the state of a table at one moment; later commits do not change what it shows.
type Dataset struct {
	lake   *Lake
	id     TableID
	table  *table.Table
	dir    string // path of the table's directory in the store
	schema *arrow.Schema
	snap   *table.Snapshot // the snapshot that is shown; nil when the table has none
	past   bool            // snap was asked for by At
}

// store has what is below the table's directory.
func (d *Dataset) store() blob.Store { return d.lake.files.store.Below(d.dir) }

// Location is the table's directory as a URI; its newest metadata file is MetadataLocation.
func (d *Dataset) Location() string { return d.table.Location() }

// MetadataLocation is the URI of the table's current metadata file, which any Iceberg reader can open.
func (d *Dataset) MetadataLocation() string { return d.table.MetadataLocation() }

// Schema is what FileWriter.Write takes: the audience's fields, then the system columns.
func (d *Dataset) Schema() *arrow.Schema { return d.schema }

// Rows is the number of live rows.
func (d *Dataset) Rows() int64 {
	if d.snap == nil {
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

// Layout says how the rows of a snapshot lie in files.
type Layout struct {
	Files       int   // of data
	SmallFiles  int   // of them
	DeleteFiles int   // of position deletes
	Rows        int64 // live and dead ones
}

// Layout returns the layout of the snapshot; a file of fewer than small bytes is a small one.
func (d *Dataset) Layout(ctx context.Context, small int64) (Layout, error) {
	data, deletes, err := d.liveFiles(ctx)
	if err != nil {
		return Layout{}, err
	}
	l := Layout{Files: len(data), DeleteFiles: len(deletes)}
	for _, f := range data {
		l.Rows += f.Count()
		if f.FileSizeBytes() < small {
			l.SmallFiles++
		}
	}
	return l, nil
}

// summary returns a number of the snapshot's summary.
func (d *Dataset) summary(name string) (int64, bool) {
	if d.snap == nil || d.snap.Summary == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(d.snap.Summary.Properties[name], 10, 64)
	return n, err == nil
}

// liveFiles returns the data files and the position delete files of the snapshot.
func (d *Dataset) liveFiles(ctx context.Context) (data, deletes []iceberg.DataFile, err error) {
	snap := d.snap
	if snap == nil {
		return nil, nil, nil
	}
	fs, err := d.table.FS(ctx)
	if err != nil {
		return nil, nil, err
	}
	manifests, err := snap.Manifests(fs)
	if err != nil {
		return nil, nil, fmt.Errorf("read the manifests of snapshot %d: %w", snap.SnapshotID, unreadable(ctx.Err(), snap.ManifestList, err))
	}
	for _, m := range manifests {
		for e, err := range m.Entries(fs, true) {
			if err != nil {
				return nil, nil, fmt.Errorf("read the manifest %s: %w", m.FilePath(), unreadable(ctx.Err(), m.FilePath(), err))
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
