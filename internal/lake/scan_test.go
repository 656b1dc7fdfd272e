package lake_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"roster/internal/identity"
	"roster/internal/lake"
)

// everyOther returns a named member for every second key from from to to.
func everyOther(from, to uint64, name string) []member {
	var out []member
	for n := from; n < to; n += 2 {
		out = append(out, named(n, fmt.Sprint(name, n)))
	}
	return out
}

// lines returns the rows of a batch as text.
func lines(rec arrow.RecordBatch) []string {
	var out []string
	for i := range int(rec.NumRows()) {
		line := ""
		for _, c := range rec.Columns() {
			line += c.ValueStr(i) + " "
		}
		out = append(out, line)
	}
	return out
}

// scannedTable returns a table with two files whose keys overlap, with deleted rows in both, and the names of its
// members in key order.
func scannedTable(t testing.TB) (w *world, names []string) {
	t.Helper()
	w = setup(t, nameField)
	d := w.load(t)
	first := write(t, d, "r1-a", 700, everyOther(0, 4000, "a")...)
	commit(t, d, lake.Commit{Run: "r1", Dir: "r1-a", Add: []lake.DataFile{first}})
	d = w.load(t)
	second := write(t, d, "r2-a", 90, everyOther(1, 401, "b")...)
	gone := []int64{0, 1, 63, 64, 65, 700, 1999}
	for i := int64(800); i < 1200; i++ {
		gone = append(gone, i)
	}
	commit(t, d, lake.Commit{Run: "r2", Dir: "r2-a", Add: []lake.DataFile{second}, Deletes: map[string][]int64{first.Path: gone}})
	d = w.load(t)
	commit(t, d, lake.Commit{Run: "r3", Dir: "r3-a", Deletes: map[string][]int64{second.Path: {199}, first.Path: {2}}})
	gone = append(gone, 2)
	for n := range uint64(4000) {
		switch {
		case n%2 == 0 && !slices.Contains(gone, int64(n/2)):
			names = append(names, fmt.Sprint("a", n))
		case n%2 == 1 && n < 399:
			names = append(names, fmt.Sprint("b", n))
		}
	}
	return w, names
}

func TestScan(t *testing.T) {
	t.Parallel()
	w, want := scannedTable(t)
	d := w.load(t)
	if d.Rows() != int64(len(want)) {
		t.Fatalf("%d rows, want %d", d.Rows(), len(want))
	}
	var all []string
	var places []lake.Position
	err := d.Scan(t.Context(), lake.ScanOptions{BatchRows: 100}, func(rec arrow.RecordBatch, next lake.Position) error {
		if !rec.Schema().Equal(d.Schema()) || rec.NumRows() == 0 || rec.NumRows() > 100 {
			t.Errorf("a batch of %d rows with the schema %s", rec.NumRows(), rec.Schema())
		}
		all = append(all, lines(rec)...)
		for range rec.NumRows() - 1 {
			places = append(places, lake.Position{File: -1})
		}
		places = append(places, next)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(slices.Values(all)); len(got) != len(want) || len(slices.Compact(got)) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	if got := scan(t, d); len(got) != len(all) {
		t.Fatalf("iceberg-go reads %d rows, a scan %d", len(got), len(all))
	}
	// A scan from each position returns the remaining rows, with another batch size.
	for i, at := range places {
		if at.File < 0 {
			continue
		}
		var rest []string
		err := d.Scan(t.Context(), lake.ScanOptions{From: at, BatchRows: 333}, func(rec arrow.RecordBatch, _ lake.Position) error {
			rest = append(rest, lines(rec)...)
			return nil
		})
		if err != nil || !slices.Equal(rest, all[i+1:]) {
			t.Fatalf("from %v: %d rows, want %d: %v", at, len(rest), len(all)-i-1, err)
		}
	}
}

func TestScanColumns(t *testing.T) {
	t.Parallel()
	w, want := scannedTable(t)
	d := w.load(t)
	var got []string
	err := d.Scan(t.Context(), lake.ScanOptions{Columns: []string{"_roster_line", "name"}}, func(rec arrow.RecordBatch, _ lake.Position) error {
		if _, ok := rec.Column(0).(*array.Int64); !ok || rec.ColumnName(1) != "name" || rec.NumCols() != 2 {
			t.Errorf("columns %s", rec.Schema())
		}
		names := rec.Column(1).(*array.String)
		for i := range names.Len() {
			got = append(got, names.Value(i))
		}
		return nil
	})
	slices.Sort(got)
	if slices.Sort(want); err != nil || !slices.Equal(got, want) {
		t.Errorf("%d names, want %d: %v", len(got), len(want), err)
	}
	for _, columns := range [][]string{{"nobody"}, {"name", "name"}} {
		if err := d.Scan(t.Context(), lake.ScanOptions{Columns: columns}, nil); err == nil {
			t.Errorf("columns %v were read", columns)
		}
	}
	stop := errors.New("enough")
	if err := d.Scan(t.Context(), lake.ScanOptions{BatchRows: 1}, func(arrow.RecordBatch, lake.Position) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the scan ended with %v", err)
	}
	if err := d.Scan(t.Context(), lake.ScanOptions{From: lake.Position{File: 2}}, func(arrow.RecordBatch, lake.Position) error { return stop }); err != nil {
		t.Errorf("a scan from the end: %v", err)
	}
}

func TestScanTypes(t *testing.T) {
	t.Parallel()
	w := setup(t, allTypes)
	d := w.load(t)
	values := []any{"Åse", 1.5, int64(7), int32(-7), arrow.Date32(20221), arrow.Timestamp(1747137600123456), true}
	members := []member{{id: key(1), values: values}, {id: key(2), values: make([]any, 7)}, {id: key(3), values: values}}
	df := write(t, d, "r1-a", 2, members...)
	commit(t, d, lake.Commit{Run: "r1", Dir: "r1-a", Add: []lake.DataFile{df}})
	d = w.load(t)
	commit(t, d, lake.Commit{Run: "r2", Dir: "r2-a", Deletes: map[string][]int64{df.Path: {0}}})
	var got []string
	err := w.load(t).Scan(t.Context(), lake.ScanOptions{}, func(rec arrow.RecordBatch, _ lake.Position) error {
		got = append(got, lines(rec)...)
		return nil
	})
	all := batch(t, d.Schema(), members)
	want := append(lines(all.NewSlice(1, 2)), lines(all.NewSlice(2, 3))...)
	want[1] = want[1][:len(want[1])-2] + "2 " // the line number differs: batches of two rows were written
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q\nwant %q: %v", got, want, err)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	w, names := scannedTable(t)
	d := w.load(t)
	live := map[string]bool{}
	for _, name := range names {
		live[name] = true
	}
	for n := range uint64(4100) {
		name := fmt.Sprint([]string{"a", "b"}[n%2], n)
		if n > 2400 && n%7 != 0 {
			continue
		}
		rec, ok, err := d.Find(t.Context(), key(n))
		if err != nil || ok != live[name] {
			t.Fatalf("key %d: %v %v", n, ok, err)
		}
		if !ok {
			continue
		}
		if id := rec.Column(1).(*array.FixedSizeBinary).Value(0); rec.NumRows() != 1 || !rec.Schema().Equal(d.Schema()) ||
			identity.Key(id) != key(n) || rec.Column(0).ValueStr(0) != name {
			t.Fatalf("key %d finds %v", n, lines(rec))
		}
	}
	if _, ok, err := setup(t, nameField).load(t).Find(t.Context(), key(1)); ok || err != nil {
		t.Errorf("an empty table has a member: %v", err)
	}
}

// If a member's row was replaced several times, Find returns the last one.
func TestFindReplaced(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	var last lake.DataFile
	for i := range 5 {
		d := w.load(t)
		c := lake.Commit{Run: "r", Dir: fmt.Sprint("r-", i), Add: []lake.DataFile{write(t, d, fmt.Sprint("r-", i), 9, named(1, "x"), named(7, fmt.Sprint("v", i)), named(9, "y"))}}
		if last.Path != "" {
			c.Deletes = map[string][]int64{last.Path: {0, 1, 2}}
		}
		commit(t, d, c)
		last = c.Add[0]
	}
	rec, ok, err := w.load(t).Find(t.Context(), key(7))
	if err != nil || !ok || rec.Column(0).ValueStr(0) != "v4" {
		t.Fatal(ok, err)
	}
}

// namesOf returns the names of all members, sorted.
func namesOf(t testing.TB, d *lake.Dataset) []string {
	t.Helper()
	var out []string
	err := d.Scan(t.Context(), lake.ScanOptions{Columns: []string{"name"}}, func(rec arrow.RecordBatch, _ lake.Position) error {
		names := rec.Column(0).(*array.String)
		for i := range names.Len() {
			out = append(out, names.Value(i))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}
