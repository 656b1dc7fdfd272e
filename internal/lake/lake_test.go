package lake_test

import (
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet/file"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/lake"
)

func TestCreateLoadDrop(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		d := w.load(t)
		if _, ok := d.Current(); ok || d.Rows() != 0 || d.Bytes() != 0 {
			t.Error("a new table has a snapshot")
		}
		commit(t, d, lake.Commit{Run: "r1", Add: []lake.DataFile{write(t, d, "r1-a", 9, named(1, "Ada"))}})
		if err := w.Create(ctx, w.table, "people", nil); err != nil {
			t.Fatal(err)
		}
		if d := w.load(t); d.Rows() != 1 || d.Schema().NumFields() != 8 {
			t.Errorf("creating a table again changed it: %d rows, %s", d.Rows(), d.Schema())
		}
		for range 2 {
			if err := w.Drop(ctx, w.table); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Load(ctx, w.table); !errors.Is(err, lake.ErrNotExist) {
				t.Errorf("a dropped table loads: %v", err)
			}
			if _, err := os.Stat(w.dir()); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a dropped table has files: %v", err)
			}
		}
		if _, err := d.Commit(ctx, lake.Commit{Run: "r2"}); !errors.Is(err, lake.ErrNotExist) {
			t.Errorf("a commit to a dropped table: %v", err)
		}
		if err := w.Create(ctx, w.table, "people", nameField); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Commit(ctx, lake.Commit{Run: "r2"}); !errors.Is(err, lake.ErrNotExist) {
			t.Errorf("a commit to a table of the same name: %v", err)
		}
	})
}

func TestOpenAgain(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	d := w.load(t)
	commit(t, d, lake.Commit{Run: "r1", Add: []lake.DataFile{write(t, d, "r1-a", 9, named(1, "Ada"))}})
	again, err := lake.Open(t.Context(), w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if d, err = again.Load(t.Context(), w.table); err != nil || d.Rows() != 1 {
		t.Fatal(err, d.Rows())
	}
	if _, err := again.Load(t.Context(), lake.TableID{Namespace: "other", Name: "a1"}); !errors.Is(err, lake.ErrNotExist) {
		t.Errorf("a table of a namespace that does not exist: %v", err)
	}
	if _, err := lake.Open(t.Context(), lake.Config{Warehouse: "lake", Catalog: w.cfg.Catalog, Dialect: "sqlite"}); err == nil {
		t.Error("a relative warehouse was opened")
	}
}

// A crash between the two steps of Drop leaves files without a table. A crash in Create leaves a metadata file.
func TestDropLeftovers(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	d := w.load(t)
	commit(t, d, lake.Commit{Run: "r1", Add: []lake.DataFile{write(t, d, "r1-a", 9, named(1, "Ada"))}})
	if _, err := w.cfg.Catalog.Exec("DELETE FROM iceberg_tables"); err != nil {
		t.Fatal(err)
	}
	if err := w.Drop(t.Context(), w.table); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(w.dir()); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

var allTypes = []audience.Field{
	{Name: "s", Type: audience.String}, {Name: "n", Type: audience.Number}, {Name: "l", Type: audience.Long}, {Name: "i", Type: audience.Integer},
	{Name: "d", Type: audience.Date}, {Name: "t", Type: audience.DateTime}, {Name: "b", Type: audience.Boolean},
}

func TestTypes(t *testing.T) {
	t.Parallel()
	w := setup(t, allTypes)
	d := w.load(t)
	members := []member{
		{id: key(1), values: []any{"Åse \"x\"\n", 1.5, int64(math.MaxInt64), int32(math.MinInt32), arrow.Date32(20221), arrow.Timestamp(1747137600123456), true}},
		{id: key(2), values: []any{nil, nil, nil, nil, nil, nil, nil}},
		{id: key(3), values: []any{"", math.Inf(-1), int64(math.MinInt64), int32(math.MaxInt32), arrow.Date32(-1), arrow.Timestamp(-1), false}},
		{id: key(math.MaxUint64), row: math.MinInt64, since: math.MinInt64, seen: math.MaxInt64, values: []any{"z", math.NaN(), int64(0), int32(0), arrow.Date32(0), arrow.Timestamp(0), nil}},
	}
	commit(t, d, lake.Commit{Run: "r1", Add: []lake.DataFile{write(t, d, "r1-a", 3, members...)}})
	got := scan(t, w.load(t))
	want := []string{
		`(null) (null) (null) (null) (null) (null) (null) AAAAAAAAAAIAAAAAAAAAAA== 0 1970-01-01T00:00:00Z 1970-01-01T00:00:00Z 1 0 3`,
		` -Inf -9223372036854775808 2147483647 1969-12-31 1969-12-31T23:59:59.999999Z false AAAAAAAAAAMAAAAAAAAAAA== 0 1970-01-01T00:00:00Z 1970-01-01T00:00:00Z 1 0 4`,
		"Åse \"x\"\n 1.5 9223372036854775807 -2147483648 2025-05-13 2025-05-13T12:00:00.123456Z true AAAAAAAAAAEAAAAAAAAAAA== 0 1970-01-01T00:00:00Z 1970-01-01T00:00:00Z 1 0 2",
	}
	for _, line := range want {
		found := false
		for _, g := range got {
			found = found || g == line
		}
		if !found {
			t.Errorf("no row %q in\n%s", line, strings.Join(got, "\n"))
		}
	}
	if len(got) != 4 || !strings.Contains(strings.Join(got, "\n"), "z NaN 0 0 1970-01-01 1970-01-01T00:00:00Z (null) //////////8AAAAAAAAAAA==") {
		t.Errorf("%d rows\n%s", len(got), strings.Join(got, "\n"))
	}
	for i := range members {
		members[i].values = nil
	}
	if got := state(t, w.load(t)); !reflect.DeepEqual(got, members) {
		t.Errorf("the state is %v", got)
	}
}

// Field names may be any text. The columns of the files have the same names.
func TestFieldNames(t *testing.T) {
	t.Parallel()
	names := []string{"a.b", "a", "b", "with space", "quo\"te", "sin'gle", "ü€😀", "x.y.z", "x", "a/b", "a,b;c", "$1", "1st", "select", "element", "key.value", "tab\there", "line\nbreak", "`", "\\"}
	fields := make([]audience.Field, len(names))
	m := member{id: key(1), values: make([]any, len(names))}
	for i, name := range names {
		fields[i] = audience.Field{Name: name, Type: audience.String}
		m.values[i] = "value of " + name
	}
	w := setup(t, fields)
	d := w.load(t)
	df := write(t, d, "r1-a", 9, m)
	commit(t, d, lake.Commit{Run: "r1", Add: []lake.DataFile{df}})
	d = w.load(t)
	s, err := d.OpenState(t.Context(), lake.StateOptions{Identities: names})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := s.Cursor().Range(identity.Key{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		if col, at := rows.Identity(i, 0); col.ValueStr(at) != "value of "+name {
			t.Errorf("field %q has the value %q", name, col.ValueStr(at))
		}
	}
	r, err := file.OpenParquetFile(strings.TrimPrefix(df.Path, "file://"), false)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i, name := range names {
		if node := r.MetaData().Schema.Column(i).SchemaNode(); node.Name() != name || node.FieldID() != int32(i+1) {
			t.Errorf("column %d is %q with the field id %d", i, node.Name(), node.FieldID())
		}
	}
	lower, upper := lake.Bounds(df)
	for i, name := range names {
		want := ("value of " + name)[:min(16, len("value of "+name))]
		if !strings.HasPrefix(string(lower[i+1]), want) || len(upper[i+1]) == 0 {
			t.Errorf("field %q has the bounds %q and %q", name, lower[i+1], upper[i+1])
		}
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	d := w.load(t)
	var locations []string
	for _, dir := range []string{"r1-a", "r1-b", "r2-a", "r10-a"} {
		out, location, err := d.CreateFile(dir, "delta.bin")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(out, dir); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		locations = append(locations, location)
		write(t, d, dir, 9, named(1, "Ada"))
	}
	if _, _, err := d.CreateFile("r1-a", "delta.bin"); err == nil {
		t.Error("a file was created over another")
	}
	if err := d.RemoveAttempts(t.Context(), "r1", "r1-b"); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "r1-b", "r2-a", "r10-a"} {
		in, err := d.OpenFile(locations[i])
		if want == "" {
			if !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a removed file opens: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(in); err != nil || string(got) != want {
			t.Errorf("%s holds %q: %v", locations[i], got, err)
		}
		in.Close()
	}
	for dir, want := range map[string]int{"r1-a": 0, "r1-b": 1, "r2-a": 1, "r10-a": 1} {
		if m, _ := filepath.Glob(filepath.Join(w.dir(), "data", dir, "*.parquet")); len(m) != want {
			t.Errorf("%s has the data files %v", dir, m)
		}
	}
	if err := d.RemoveAttempts(t.Context(), "r1", ""); err != nil {
		t.Fatal(err)
	}
	if err := d.RemoveAttempts(t.Context(), "r3", ""); err != nil {
		t.Error(err)
	}
	if _, err := d.OpenFile(locations[1]); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestAbort(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	d := w.load(t)
	f, err := d.NewFile("r1-a")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write(batch(t, d.Schema(), []member{named(1, "Ada")})); err != nil {
		t.Fatal(err)
	}
	f.Abort()
	f.Abort()
	if _, err := f.Close(); err == nil {
		t.Error("an aborted file was closed")
	}
	empty, err := d.NewFile("r1-a")
	if err != nil {
		t.Fatal(err)
	}
	empty.EndRowGroup()
	if _, err := empty.Close(); err == nil || empty.Bytes() != 0 {
		t.Errorf("a file without rows was closed: %v", err)
	}
	if m, _ := filepath.Glob(filepath.Join(w.dir(), "data", "*", "*")); len(m) != 0 {
		t.Errorf("left over: %v", m)
	}
	df := write(t, d, "r1-a", 9, named(1, "Ada"))
	if m, _ := filepath.Glob(filepath.Join(w.dir(), "data", "*", "*.parquet")); len(m) != 1 || "file://"+m[0] != df.Path || df.Rows != 1 || df.Bytes == 0 {
		t.Errorf("%v is %+v", m, df)
	}
}

// Roster supports paths with characters that a URI escapes.
func TestWarehouseWithSpaces(t *testing.T) {
	t.Parallel()
	cfg := setup(t, nameField).cfg
	cfg.Warehouse = filepath.Join(t.TempDir(), "wäre house%20", "#1?")
	w := setupOn(t, cfg, nameField) // the table already exists in the catalog
	w.table.Name = "a2"
	if err := w.Create(t.Context(), w.table, "people", nameField); err != nil {
		t.Fatal(err)
	}
	d := w.load(t)
	f := write(t, d, "r1-a", 9, named(1, "Ada"), named(2, "Grace"))
	commit(t, d, lake.Commit{Run: "r1", Add: []lake.DataFile{f}})
	d = w.load(t)
	commit(t, d, lake.Commit{Run: "r2", Dir: "r2-a", Deletes: map[string][]int64{f.Path: {0}}})
	if got := state(t, w.load(t)); len(got) != 1 || got[0].id != key(2) {
		t.Errorf("the state is %v", got)
	}
	if _, err := os.Stat(filepath.Join(w.dir(), "metadata")); err != nil {
		t.Error(err)
	}
}
