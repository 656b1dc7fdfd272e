package lake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/lake"
)

// other is another program that changes the world's table.
type other struct {
	*world
	t testing.TB
}

func (o other) table() *table.Table {
	o.t.Helper()
	tbl, err := o.Table(o.t.Context(), o.world.table)
	if err != nil {
		o.t.Fatal(err)
	}
	return tbl
}

// change commits a change of the table.
func (o other) change(fn func(ctx context.Context, tx *table.Transaction) error) {
	o.t.Helper()
	ctx := o.t.Context()
	tx := o.table().NewTransaction()
	if err := fn(ctx, tx); err != nil {
		o.t.Fatal(err)
	}
	if _, err := tx.Commit(ctx); err != nil {
		o.t.Fatal(err)
	}
}

// rows returns the live rows of the table in no particular order.
func (o other) rows() arrow.Table {
	o.t.Helper()
	schema, records, err := o.table().Scan().ToArrowRecords(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	var recs []arrow.RecordBatch
	for rec, err := range records {
		if err != nil {
			o.t.Fatal(err)
		}
		for i := range rec.NumRows() {
			recs = append(recs, rec.NewSlice(i, i+1))
		}
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(recs), func(i, j int) { recs[i], recs[j] = recs[j], recs[i] })
	return array.NewTableFromRecords(schema, recs)
}

// rewrite rewrites all rows, unsorted.
func (o other) rewrite() {
	o.t.Helper()
	rows := o.rows()
	o.change(func(ctx context.Context, tx *table.Transaction) error { return tx.OverwriteTable(ctx, rows, 7, nil) })
}

// rewriteAs rewrites all rows to one file, unsorted, with another writer's column names and properties.
func (o other) rewriteAs(rename func(arrow.Field) arrow.Field, props ...parquet.WriterProperty) {
	o.t.Helper()
	must := func(err error) {
		o.t.Helper()
		if err != nil {
			o.t.Fatal(err)
		}
	}
	rows := o.rows()
	columns := make([]arrow.Column, rows.NumCols())
	fields := make([]arrow.Field, rows.NumCols())
	named := slices.Clone(o.table().Schema().Fields())
	for i := range columns {
		c := rows.Column(i)
		f := c.Field()
		f.Metadata = arrow.NewMetadata([]string{"PARQUET:field_id"}, []string{strconv.Itoa(named[i].ID)})
		fields[i] = rename(f)
		named[i].Name = fields[i].Name
		columns[i] = *arrow.NewColumn(fields[i], c.Data())
	}
	as := array.NewTable(arrow.NewSchema(fields, nil), columns, rows.NumRows())
	place := filepath.Join(o.dir(), "data", uuid.NewString()+".parquet")
	must(os.MkdirAll(filepath.Dir(place), 0o700))
	var b bytes.Buffer
	w, err := pqarrow.NewFileWriter(as.Schema(), &b, parquet.NewWriterProperties(append(props, parquet.WithCreatedBy("parquet-mr version 1.15.2"))...), pqarrow.NewArrowWriterProperties())
	must(err)
	must(w.WriteTable(as, 5))
	must(w.Close())
	must(os.WriteFile(place, b.Bytes(), 0o600))
	meta, err := w.FileMetadata()
	must(err)
	df, err := table.DataFileFromMetadata(table.DataFileArgs{
		Schema: iceberg.NewSchema(0, named...), Spec: o.table().Spec(), Format: iceberg.ParquetFile, Metadata: meta, FilePath: "file://" + place,
		FileSize: int64(b.Len()), Content: iceberg.EntryContentData, FormatVersion: 2,
		Properties: iceberg.Properties{table.DefaultWriteMetricsModeKey: "none"},
	})
	must(err)
	var was []iceberg.DataFile
	planned, err := o.table().Scan().PlanFiles(o.t.Context())
	must(err)
	for _, task := range planned {
		was = append(was, task.File)
	}
	o.change(func(ctx context.Context, tx *table.Transaction) error {
		return tx.ReplaceFiles(ctx, was, []iceberg.DataFile{df}, nil, nil, table.WithoutAutoNameMapping())
	})
}

// manyNamed returns members with names, in key order.
func manyNamed(from, to int) []member {
	var out []member
	for n := from; n < to; n++ {
		out = append(out, named(uint64(n)<<48|uint64(n), fmt.Sprintf("n%d", n)))
	}
	return out
}

// checkRows reads the table in every way that Roster does.
func checkRows(t *testing.T, w *world, want []member) {
	t.Helper()
	d := w.load(t)
	got := state(t, d)
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	keys := make([]identity.Key, len(want))
	for i, m := range want {
		keys[i] = m.id
		if g := got[i]; g.id != m.id || g.row != m.row {
			t.Fatalf("row %d: %+v, want %+v", i, g, m)
		}
		rec, ok, err := d.Find(t.Context(), m.id)
		if err != nil || !ok || rec.Column(0).ValueStr(0) != m.values[0] {
			t.Fatalf("find %x: %v %v", m.id, ok, err)
		}
	}
	found, err := w.Find(t.Context(), w.table, keys, lake.FindOptions{Columns: []string{"name"}})
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range want {
		if found.At[i] < 0 || found.Rows.Column(0).ValueStr(found.At[i]) != m.values[0] {
			t.Fatalf("values of %x: %v", m.id, found.At[i])
		}
	}
	scanned := 0
	err = d.Scan(t.Context(), lake.ScanOptions{Columns: []string{"name", lake.ColID}}, func(rec arrow.RecordBatch, _ lake.Position) error {
		scanned += int(rec.NumRows())
		return nil
	})
	if err != nil || scanned != len(want) {
		t.Fatalf("scanned %d rows, want %d: %v", scanned, len(want), err)
	}
}

// TestRewrittenElsewhere lets other programs rewrite the files of a table.
func TestRewrittenElsewhere(t *testing.T) {
	t.Parallel()
	same := func(f arrow.Field) arrow.Field { return f }
	sanitised := func(f arrow.Field) arrow.Field {
		f.Name = "_x5F" + f.Name
		f.Nullable = true
		return f
	}
	for name, rewrite := range map[string]func(o other){
		"plain": func(o other) { o.rewrite() },
		"sanitised": func(o other) {
			o.rewriteAs(sanitised, parquet.WithCompression(compress.Codecs.Zstd), parquet.WithDataPageVersion(parquet.DataPageV2))
		},
		"bare": func(o other) {
			o.rewriteAs(same, parquet.WithStats(false), parquet.WithCompression(compress.Codecs.Gzip), parquet.WithDictionaryDefault(false))
		},
		"brotli, one page": func(o other) {
			o.rewriteAs(same, parquet.WithCompression(compress.Codecs.Brotli), parquet.WithMaxRowGroupLength(1<<20))
		},
		"without ids": func(o other) {
			o.change(func(_ context.Context, tx *table.Transaction) error {
				mapping, err := json.Marshal(o.table().Schema().NameMapping())
				return errors.Join(err, tx.SetProperties(iceberg.Properties{table.DefaultNameMappingKey: string(mapping)}))
			})
			o.rewriteAs(func(f arrow.Field) arrow.Field { f.Metadata = arrow.Metadata{}; return f })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, nameField)
			all := manyNamed(0, 60)
			d := w.load(t)
			commit(t, d, lake.Commit{Run: "r1", Dir: "r1-a", Add: []lake.DataFile{write(t, d, "r1-a", 7, all[:50]...)}})
			d = w.load(t)
			commit(t, d, lake.Commit{Run: "r2", Dir: "r2-a", Add: []lake.DataFile{write(t, d, "r2-a", 7, all[50:]...)}})
			rewrite(other{w, t})
			checkRows(t, w, all)

			// The next run deletes rows of the other program's file by their positions in the file.
			d = w.load(t)
			s, err := d.OpenState(t.Context(), lake.StateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			c := s.Cursor()
			rows, err := c.Range(all[10].id, &all[20].id)
			if err != nil {
				t.Fatal(err)
			}
			deletes := map[string][]int64{}
			for i := range rows.IDs {
				path := s.Files()[rows.File[i]].Path
				deletes[path] = append(deletes[path], rows.Pos[i])
			}
			commit(t, d, lake.Commit{Run: "r3", Dir: "r3-a", Deletes: deletes})
			left := append(slices.Clone(all[:10]), all[20:]...)
			checkRows(t, w, left)
			if got := scan(t, w.load(t)); len(got) != len(left) {
				t.Errorf("another reader sees %d rows, want %d", len(got), len(left))
			}

			d = w.load(t)
			files, err := d.Rewrite(t.Context(), lake.RewriteOptions{Dir: "maintenance-1", Memory: 64 << 20, FileSize: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			commit(t, d, lake.Commit{Replace: true, Add: files, Dir: "maintenance-1"})
			checkRows(t, w, left)
		})
	}
}

// TestColumnsChangedElsewhere lets another program add, rename, promote and drop columns.
func TestColumnsChangedElsewhere(t *testing.T) {
	t.Parallel()
	w := setup(t, []audience.Field{{Name: "name", Type: audience.String}, {Name: "points", Type: audience.Integer}})
	o := other{w, t}
	var all []member
	for n := range 30 {
		m := named(uint64(n)<<48, fmt.Sprintf("n%d", n))
		m.values = append(m.values, int32(n))
		all = append(all, m)
	}
	d := w.load(t)
	commit(t, d, lake.Commit{Run: "r1", Dir: "r1-a", Add: []lake.DataFile{write(t, d, "r1-a", 7, all[:20]...)}})
	o.change(func(_ context.Context, tx *table.Transaction) error {
		return tx.UpdateSchema(true, false).
			RenameColumn([]string{"name"}, "full_name").
			AddColumn([]string{"name"}, iceberg.PrimitiveTypes.String, "", false, nil).
			AddColumn([]string{"tags"}, &iceberg.ListType{ElementID: 100, Element: iceberg.PrimitiveTypes.String}, "", false, nil).
			UpdateColumn([]string{"points"}, table.ColumnUpdate{FieldType: iceberg.Optional[iceberg.Type]{Val: iceberg.PrimitiveTypes.Int64, Valid: true}}).
			Commit()
	})
	checkRows(t, w, all[:20])

	// The other program writes values to the new columns.
	rows := o.rows()
	schema := rows.Schema()
	columns := make([]arrow.Column, rows.NumCols())
	for i := range columns {
		columns[i] = *rows.Column(i)
	}
	given := schema.FieldIndices("name")[0]
	columns[given] = *arrow.NewColumn(schema.Field(given), rows.Column(schema.FieldIndices("full_name")[0]).Data())
	with := array.NewTable(schema, columns, rows.NumRows())
	o.change(func(ctx context.Context, tx *table.Transaction) error { return tx.OverwriteTable(ctx, with, 9, nil) })
	checkRows(t, w, all[:20])

	// Rows of a run have no values there. Compaction keeps the values of other rows.
	d = w.load(t)
	commit(t, d, lake.Commit{Run: "r2", Dir: "r2-a", Add: []lake.DataFile{write(t, d, "r2-a", 7, all[20:]...)}})
	d = w.load(t)
	if got := d.AddedColumns(); !reflect.DeepEqual(got, []string{"name (field 10)", "tags"}) {
		t.Errorf("added columns %q", got)
	}
	files, err := d.Rewrite(t.Context(), lake.RewriteOptions{Dir: "maintenance-1", Memory: 64 << 20, FileSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, d, lake.Commit{Replace: true, Add: files, Dir: "maintenance-1"})
	checkRows(t, w, all)
	added := map[string]int{}
	for _, line := range scan(t, w.load(t)) {
		added[strings.Fields(line)[len(strings.Fields(line))-2]]++
	}
	if len(added) != 21 || added["(null)"] != 10 {
		t.Errorf("added values %v", added)
	}

	// Roster keeps a field that the other program drops.
	o.change(func(_ context.Context, tx *table.Transaction) error {
		return tx.UpdateSchema(true, true).DeleteColumn([]string{"full_name"}).Commit()
	})
	checkRows(t, w, all)
	d = w.load(t)
	more := named(1<<60, "more")
	more.values = append(more.values, int32(1))
	commit(t, d, lake.Commit{Run: "r3", Dir: "r3-a", Add: []lake.DataFile{write(t, d, "r3-a", 7, more)}})
	all = append(all, more)
	checkRows(t, w, all)

	// The other program drops a field, adds it once more, and then replaces the table.
	o.change(func(_ context.Context, tx *table.Transaction) error {
		return tx.UpdateSchema(true, true).DeleteColumn([]string{"points"}).DeleteColumn([]string{"name"}).Commit()
	})
	o.change(func(_ context.Context, tx *table.Transaction) error {
		return tx.UpdateSchema(true, true).AddColumn([]string{"points"}, iceberg.PrimitiveTypes.Int64, "", false, nil).Commit()
	})
	d = w.load(t)
	last := named(1<<61, "last")
	last.values = append(last.values, int32(2))
	f := write(t, d, "r4-a", 7, last)
	points, _ := o.table().Schema().FindFieldByName("points")
	if lower, _ := lake.Bounds(f); len(lower[points.ID]) != 8 {
		t.Errorf("the bound of points is %v", lower[points.ID])
	}
	commit(t, d, lake.Commit{Run: "r4", Dir: "r4-a", Add: []lake.DataFile{f}})
	if err := w.Replaced(t.Context(), w.table); err != nil {
		t.Fatal(err)
	}
	d = w.load(t)
	binary := named(1<<62, "binary")
	binary.values = append(binary.values, int32(3))
	commit(t, d, lake.Commit{Run: "r5", Dir: "r5-a", Add: []lake.DataFile{write(t, d, "r5-a", 7, binary)}})
	if d = w.load(t); !reflect.DeepEqual(d.AddedColumns(), []string{"tags"}) {
		t.Errorf("added columns %q", d.AddedColumns())
	}
	checkRows(t, w, append(all, last, binary))
}

// TestHeldElsewhere lets another program tag a version, write to a branch, and stage a snapshot. Runs, the history file
// and expiry keep what they need.
func TestHeldElsewhere(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	run := func(n int) {
		d, dir := w.load(t), fmt.Sprintf("r%d-a", n)
		commit(t, d, lake.Commit{Run: audience.RunID(fmt.Sprintf("r%d", n)), Dir: dir, Add: []lake.DataFile{write(t, d, dir, 9, named(uint64(n), fmt.Sprint(n)))}})
		if err := w.load(t).Archive(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	run(0)
	o := other{w, t}
	first := *o.table().CurrentSnapshot()
	update := func(updates ...table.Update) {
		t.Helper()
		if err := w.Update(t.Context(), o.table(), updates...); err != nil {
			t.Fatal(err)
		}
	}
	add := func(id, parent int64, summary iceberg.Properties) {
		t.Helper()
		s := first
		s.SnapshotID, s.ParentSnapshotID, s.SequenceNumber = id, &parent, o.table().Metadata().LastSequenceNumber()+1
		s.Summary = &table.Summary{Operation: table.OpAppend, Properties: summary}
		update(table.NewAddSnapshotUpdate(&s))
	}
	add(101, first.SnapshotID, nil)
	add(102, 101, nil)
	add(103, first.SnapshotID, iceberg.Properties{"wap.id": "audit"})
	update(table.NewSetSnapshotRefUpdate("audit", 102, table.BranchRef, 0, 0, 0), table.NewSetSnapshotRefUpdate("keep", first.SnapshotID, table.TagRef, 0, 0, 0))
	for n := range 40 {
		run(n + 1)
	}
	has := func(ids ...int64) (found []bool) {
		for _, id := range ids {
			_, err := w.load(t).At(id)
			found = append(found, err == nil)
		}
		return found
	}
	if got := has(first.SnapshotID, 101, 102, 103); slices.Contains(got, false) {
		t.Errorf("the metadata have %v", got)
	}
	if _, err := w.load(t).Expire(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := has(first.SnapshotID, 101, 102, 103); !slices.Equal(got, []bool{true, true, true, false}) {
		t.Errorf("after expiry the metadata have %v", got)
	}
	h, err := w.load(t).ReadHistory(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if all := h.Dataset().Snapshots(); len(all) != 4 || !slices.Equal(h.Refs(all), []string{"audit", "keep", "main"}) || !slices.Equal(h.Refs(all[:1]), []string{"keep"}) {
		t.Errorf("%d snapshots; branches and tags %q", len(all), h.Refs(all))
	}
}
