package lake

import (
	"context"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"roster/internal/audience"
	"roster/internal/blob"
)

// Dataset is a table at one moment. Later commits do not change a Dataset.
type Dataset struct {
	lake    *Lake
	id      TableID
	table   *table.Table
	dir     string // path of the table's directory in the store
	folder  string // folder of the data files, in dir
	columns *columns
	snap    *table.Snapshot  // the snapshot of this dataset; nil if the table has none
	past    bool             // snap was selected by At
	older   []table.Snapshot // snapshots of the history file; see WithHistory
}

// store is the part of the store below the table's directory.
func (d *Dataset) store() blob.Store { return d.lake.files.store.Below(d.dir) }

// Location returns the URI of the table's directory. See MetadataLocation for the newest metadata file.
func (d *Dataset) Location() string { return d.table.Location() }

// MetadataLocation returns the URI of the table's current metadata file. Any Iceberg reader can open it.
func (d *Dataset) MetadataLocation() string { return d.table.MetadataLocation() }

// Schema returns the schema that FileWriter.Write expects: the audience's fields, then the system columns.
func (d *Dataset) Schema() *arrow.Schema { return d.columns.own }

// spec returns the partition spec of the files that Roster writes. The files have no partitions, even if another
// program has partitioned the table since Roster created it: a table can have files of several specs.
func (d *Dataset) spec() (iceberg.PartitionSpec, error) {
	for _, s := range d.table.Metadata().PartitionSpecs() {
		if s.IsUnpartitioned() {
			return s, nil
		}
	}
	return iceberg.PartitionSpec{}, audience.Errorf(audience.Impossible, "another program partitioned the audience's table and removed the spec without partitions, which Roster needs: drop the partition fields with that program (in Spark: ALTER TABLE ... DROP PARTITION FIELD)")
}

// Rows returns the number of live rows.
func (d *Dataset) Rows() int64 {
	if d.snap == nil {
		return 0
	}
	if n, ok := d.summary(propLive); ok {
		return n
	}
	// Another program made the snapshot. In Iceberg's totals, a position that was deleted twice counts twice.
	rows, _ := d.summary(propTotalRecords)
	deleted, _ := d.summary(propTotalDeletes)
	return rows - deleted
}

// Bytes returns the size of the live files, including files of position deletes.
func (d *Dataset) Bytes() int64 {
	n, _ := d.summary(propTotalFileSize)
	return n
}

// Layout describes the files of a snapshot.
type Layout struct {
	Files       int   // data files
	DeleteFiles int   // files of position deletes
	Rows        int64 // live and deleted rows
	Bytes       int64 // size of all files
}

// Layout returns the layout of the snapshot from its summary, or else from its manifests.
func (d *Dataset) Layout(ctx context.Context) (Layout, error) {
	files, ok := d.summary(propTotalFiles)
	deletes, known := d.summary(propTotalDeleteFiles)
	if rows, counted := d.summary(propTotalRecords); ok && known && counted {
		return Layout{Files: int(files), DeleteFiles: int(deletes), Rows: rows, Bytes: d.Bytes()}, nil
	}
	data, positions, err := d.liveFiles(ctx)
	if err != nil {
		return Layout{}, err
	}
	l := Layout{Files: len(data), DeleteFiles: len(positions)}
	for _, f := range data {
		l.Rows += f.Count()
		l.Bytes += f.FileSizeBytes()
	}
	return l, nil
}

// summary returns a number from the snapshot's summary.
func (d *Dataset) summary(name string) (int64, bool) {
	if d.snap == nil || d.snap.Summary == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(d.snap.Summary.Properties[name], 10, 64)
	return n, err == nil
}

// liveFiles returns the data files and the position delete files of the snapshot.
func (d *Dataset) liveFiles(ctx context.Context) (data, deletes []iceberg.DataFile, err error) {
	manifests, err := d.manifests(ctx)
	data, deletes = filesOf(manifests)
	return data, deletes, err
}
