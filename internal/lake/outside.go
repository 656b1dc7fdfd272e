package lake

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// Foreign is a snapshot that another program committed or made current.
type Foreign struct {
	ID   int64
	Time time.Time
	// Operation is the operation of the snapshot; "rollback" if an earlier snapshot of Roster became current again;
	// "replace" if the table has no current snapshot any more.
	Operation string
	Engine    string // the program; "" if the snapshot does not name it
}

// propLast is the table property that names Roster's last commit. Other programs can remove the snapshot of that commit
// and make an earlier one current, but the property stays.
const propLast = "roster.last"

// commitOf returns the name of the commit that made a snapshot: the run, or the directory of maintenance.
func commitOf(s Snapshot) string { return cmp.Or(string(s.Run), s.Props[PropDir]) }

// LastOwn returns the snapshot of Roster's last commit; false if the table does not have it, or no longer has it.
func (d *Dataset) LastOwn() (last Snapshot, ok bool) {
	name := d.table.Properties()[propLast]
	there := name == ""
	for _, s := range d.Snapshots() {
		if s.Version != "" {
			last, ok = s, true
		}
		there = there || commitOf(s) == name
	}
	// The newest snapshot of Roster is not the last one if the last one is gone and other snapshots came after this one.
	return last, ok && (there || last.Seq == d.table.Metadata().LastSequenceNumber())
}

// Foreign returns the changes that other programs made to the table after Roster's last commit, oldest first. The
// result is empty if the current snapshot is Roster's last one.
func (d *Dataset) Foreign() []Foreign {
	now, ok := d.Current()
	last, known := d.LastOwn()
	if !ok && d.table.Properties()[propLast] != "" { // CREATE OR REPLACE TABLE leaves a table without a current snapshot
		return []Foreign{{Time: time.UnixMilli(d.table.Metadata().LastUpdatedMillis()), Operation: "replace"}}
	}
	if !ok || known && last.ID == now.ID {
		return nil
	}
	if now.Version != "" { // an earlier snapshot of Roster
		return []Foreign{{ID: now.ID, Time: now.Time, Operation: "rollback"}}
	}
	var list []Foreign
	for id := now.ID; ; {
		s := d.table.SnapshotByID(id)
		if s == nil || snapshotOf(s).Version != "" || len(list) == len(d.table.Metadata().Snapshots()) {
			break
		}
		f := Foreign{ID: s.SnapshotID, Time: time.UnixMilli(s.TimestampMs)}
		if s.Summary != nil {
			f.Operation, f.Engine = string(s.Summary.Operation), engineOf(s.Summary.Properties)
		}
		list = append(list, f)
		if s.ParentSnapshotID == nil {
			break
		}
		id = *s.ParentSnapshotID
	}
	slices.Reverse(list)
	return list
}

// engineOf returns the name of the program that wrote a snapshot's summary, or "" if the summary does not contain it.
func engineOf(summary map[string]string) string {
	if name := summary["engine-name"]; name != "" {
		return strings.TrimSpace(name + " " + summary["engine-version"])
	}
	for _, c := range [][2]string{{"spark.app.id", "spark"}, {"trino_query_id", "trino"}, {"flink.job-id", "flink"}} {
		if summary[c[0]] != "" {
			return c[1]
		}
	}
	return summary["app-name"]
}

// Outside is the difference between two states of a table: the last one of Roster, and the one that other programs made
// of it.
type Outside struct {
	Before  *State     // the state that Roster left; empty if its snapshot is not kept
	Files   []DataFile // files with rows that are there now and were not at the same place before
	fresh   []*stateFile
	was     []bitmap // for each fresh file, the rows that were deleted before; nil for none
	whole   []bool   // for each fresh file, whether it was in Before
	kept    []*stateFile
	columns *columns
	own     []bool
}

// OpenOutside compares the dataset with an earlier one of the same table. A nil before means a table without rows.
func (d *Dataset) OpenOutside(ctx context.Context, before *Dataset, opts StateOptions) (*Outside, error) {
	now, err := d.OpenState(ctx, StateOptions{})
	if err != nil {
		return nil, err
	}
	o := &Outside{Before: &State{opts: opts, in: d.lake.files}, columns: d.columns}
	if before != nil {
		if o.Before, err = before.OpenState(ctx, opts); err != nil {
			return nil, fmt.Errorf("read the members that Roster left: %w", err)
		}
	}
	o.kept = make([]*stateFile, len(o.Before.data))
	at := make(map[string]int, len(o.Before.data))
	for i, f := range o.Before.data {
		at[f.Path] = i
	}
	for _, f := range now.data {
		i, ok := at[f.Path]
		if ok {
			o.kept[i] = f
		}
		if ok && !freed(o.Before.data[i].deleted, f.deleted) {
			continue
		}
		o.Files, o.fresh = append(o.Files, f.DataFile), append(o.fresh, f)
		o.own = append(o.own, d.wrote(f.Path))
		o.whole = append(o.whole, ok)
		if ok {
			o.was = append(o.was, o.Before.data[i].deleted)
		} else {
			o.was = append(o.was, nil)
		}
	}
	return o, nil
}

// freed reports whether a row was deleted before and is live now.
func freed(before, now bitmap) bool {
	for i, word := range before {
		if now == nil && word != 0 || now != nil && word&^now[i] != 0 {
			return true
		}
	}
	return false
}

// wrote reports whether Roster wrote a data file. Roster's data files lie in the directory of an attempt.
func (d *Dataset) wrote(location string) bool {
	p, err := d.lake.files.pathOf(location)
	rel, ok := strings.CutPrefix(p, path.Join(d.dir, "data")+"/")
	dir, name, below := strings.Cut(rel, "/")
	return err == nil && ok && below && !strings.Contains(name, "/") && !strings.Contains(dir, "=")
}

// Kept reports whether a row of Before is still there.
func (o *Outside) Kept(file int32, pos int64) bool {
	f := o.kept[file]
	return f != nil && !f.deleted.has(pos)
}

// Own reports whether Roster wrote the i-th file of Files.
func (o *Outside) Own(i int) bool { return o.own[i] }

// isNew reports whether a row of the i-th file of Files is there now and was not there before.
func (o *Outside) isNew(i int, pos int64) bool {
	if o.fresh[i].deleted.has(pos) {
		return false
	}
	return !o.whole[i] || o.was[i].has(pos)
}

// OutsideBatch is a batch of rows of a file.
type OutsideBatch struct {
	arrow.RecordBatch
	First int64 // position of the first row in the file
	// IsNew reports whether a row of the batch is there now and was not there before.
	IsNew func(row int) bool
	// Unfit contains, for rows with a value that does not fit the type of a column, the column. The value is null.
	Unfit map[int]string
}

// Scan calls fn with all rows of the i-th file of Files, in batches of the named columns. A batch is released after fn
// returns. A column that the file does not have, because another program dropped it, is null.
func (o *Outside) Scan(ctx context.Context, i int, r Reading, names []string, fn func(b OutsideBatch) error) (err error) {
	schema, err := columnsNamed(o.columns.all, names)
	if err != nil {
		return err
	}
	fields := schema.Fields()
	for n := range fields {
		fields[n].Nullable = true
	}
	schema = arrow.NewSchema(fields, nil)
	defer recovered(&err)
	f := *o.fresh[i]
	defer func() {
		if err != nil {
			err = fmt.Errorf("read %s: %w", f.Path, unreadable(ctx.Err(), f.Path, err))
		}
	}()
	f.footer = func() (*footer, error) { return o.plain(&f) }
	rows, ok, err := openRows(ctx, &f, schema, rowOptions{batch: defaultBatchRows, dead: true, Reading: Reading{Memory: cmp.Or(r.Memory, defaultReading), Large: r.Large}})
	if err != nil || !ok {
		return err
	}
	defer rows.close()
	for first := int64(0); ; {
		rec, next, ok, err := rows.read(ctx)
		if err != nil || !ok {
			return err
		}
		at := first
		err = fn(OutsideBatch{rec, at, func(row int) bool { return o.isNew(i, at+int64(row)) }, rows.unfit})
		rec.Release()
		if err != nil {
			return err
		}
		first = next
	}
}

// plain reads the footer of a data file whose rows are read in file order, regardless of their keys.
func (o *Outside) plain(f *stateFile) (*footer, error) {
	r, file, err := f.in.openParquet(f.Path, nil)
	if err != nil {
		return nil, err
	}
	out := &footer{in: f.in, location: f.Path, meta: r.MetaData(), sums: file.sums, columns: o.columns.in(r.MetaData().Schema)}
	first := int64(0)
	for g := range out.meta.NumRowGroups() {
		out.groups = append(out.groups, groupBounds{first: first})
		first += out.meta.RowGroup(g).NumRows()
	}
	return out, file.Close()
}
