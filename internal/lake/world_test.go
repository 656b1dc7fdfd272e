package lake_test

import (
	"context"
	"database/sql"
	"encoding/binary"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	icebergio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"roster/internal/audience"
	"roster/internal/blob/local"
	"roster/internal/identity"
	"roster/internal/lake"
)

// world is a separate lake with one table.
type world struct {
	*lake.Lake
	cfg   lake.Config
	table lake.TableID
}

// setup creates a lake on SQLite with a table of the given fields.
func setup(t testing.TB, fields []audience.Field) *world {
	t.Helper()
	dir := t.TempDir()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return setupOn(t, lake.Config{Warehouse: filepath.Join(dir, "lake"), Catalog: db, Dialect: "sqlite"}, fields)
}

func setupOn(t testing.TB, cfg lake.Config, fields []audience.Field) *world {
	t.Helper()
	w := &world{cfg: cfg, table: lake.TableID{Namespace: "org_prod", Name: "a1"}}
	var err error
	if cfg.Store == nil {
		if cfg.Store, err = local.Open("/"); err != nil {
			t.Fatal(err)
		}
		w.cfg = cfg
	}
	if w.Lake, err = lake.Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if err := w.Create(t.Context(), w.table, "people", fields); err != nil {
		t.Fatal(err)
	}
	return w
}

// onBoth runs a test on each database engine of the catalog.
func onBoth(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, setup(t, nameField))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		db := postgres(t)
		test(t, setupOn(t, lake.Config{Warehouse: t.TempDir(), Catalog: db, Dialect: "postgres"}, nameField))
	})
}

// postgres returns a connection to a new schema.
func postgres(t *testing.T) *sql.DB {
	t.Helper()
	server := os.Getenv("ROSTER_TEST_POSTGRES_URL")
	if server == "" {
		t.Skip("set ROSTER_TEST_POSTGRES_URL to the URL of a PostgreSQL database to run this test")
	}
	schema := "lake_test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("search_path", schema)
	u.RawQuery = query.Encode()
	db, err := sql.Open("pgx", u.String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "CREATE SCHEMA "+schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer db.Close()
		if _, err := db.ExecContext(context.Background(), "DROP SCHEMA "+schema+" CASCADE"); err != nil {
			t.Error(err)
		}
	})
	return db
}

var nameField = []audience.Field{{Name: "name", Type: audience.String}}

func (w *world) load(t testing.TB) *lake.Dataset {
	t.Helper()
	d, err := w.Load(t.Context(), w.table)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// opened returns the iceberg-go object of the world's table, and the file system of its files.
func (w *world) opened(t testing.TB) (*table.Table, icebergio.IO) {
	t.Helper()
	tbl, err := w.Table(t.Context(), w.table)
	if err != nil {
		t.Fatal(err)
	}
	fsys, err := tbl.FS(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tbl, fsys
}

// dir returns the directory of the world's table.
func (w *world) dir() string { return filepath.Join(w.cfg.Warehouse, w.table.Namespace, w.table.Name) }

// member is a row of the state with its values.
type member struct {
	id          identity.Key
	row         int64
	since, seen int64
	values      []any // nil means null
}

func key(n uint64) (k identity.Key) {
	binary.BigEndian.PutUint64(k[:], n)
	return k
}

// named returns a member whose only value is its name.
func named(n uint64, name string) member {
	return member{id: key(n), row: int64(n), since: 1, seen: 2, values: []any{name}}
}

// batch returns the members as rows of a table.
func batch(t testing.TB, schema *arrow.Schema, members []member) arrow.RecordBatch {
	t.Helper()
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	n := schema.NumFields() - 7
	for i, m := range members {
		for f := range n {
			appendValue(t, b.Field(f), m.values[f])
		}
		b.Field(n).(*array.FixedSizeBinaryBuilder).Append(m.id[:])
		b.Field(n + 1).(*array.Int64Builder).Append(m.row)
		b.Field(n + 2).(*array.TimestampBuilder).Append(arrow.Timestamp(m.since))
		b.Field(n + 3).(*array.TimestampBuilder).Append(arrow.Timestamp(m.seen))
		b.Field(n + 4).(*array.Int64Builder).Append(1)
		b.Field(n + 5).(*array.Int32Builder).Append(0)
		b.Field(n + 6).(*array.Int64Builder).Append(int64(i + 2))
	}
	return b.NewRecordBatch()
}

func appendValue(t testing.TB, b array.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.AppendNull()
	case string:
		b.(*array.StringBuilder).Append(v)
	case float64:
		b.(*array.Float64Builder).Append(v)
	case int64:
		b.(*array.Int64Builder).Append(v)
	case int32:
		b.(*array.Int32Builder).Append(v)
	case arrow.Date32:
		b.(*array.Date32Builder).Append(v)
	case arrow.Timestamp:
		b.(*array.TimestampBuilder).Append(v)
	case bool:
		b.(*array.BooleanBuilder).Append(v)
	default:
		t.Fatalf("a value of type %T", v)
	}
}

// write writes sorted members to a data file whose row groups have the given number of rows.
func write(t testing.TB, d *lake.Dataset, dir string, group int, members ...member) lake.DataFile {
	t.Helper()
	w, err := d.NewFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for part := range slices.Chunk(members, group) {
		if err := w.Write(batch(t, d.Schema(), part)); err != nil {
			t.Fatal(err)
		}
		w.EndRowGroup()
	}
	f, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func commit(t testing.TB, d *lake.Dataset, c lake.Commit) lake.Snapshot {
	t.Helper()
	snap, err := d.Commit(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// state returns all members of the state, without their values.
func state(t testing.TB, d *lake.Dataset) []member {
	t.Helper()
	s, err := d.OpenState(t.Context(), lake.StateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := s.Cursor()
	defer c.Close()
	rows, err := c.Range(identity.Key{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return membersOf(rows)
}

func membersOf(rows *lake.StateRows) []member {
	var out []member
	for i, id := range rows.IDs {
		out = append(out, member{id: id, row: rows.Row[i], since: rows.Since[i], seen: rows.Seen[i]})
	}
	return out
}

// scan reads the table with iceberg-go's own reader, independently of Roster, in no particular order.
func scan(t testing.TB, d *lake.Dataset) []string {
	t.Helper()
	ctx := t.Context()
	tbl, err := table.NewFromLocation(ctx, table.Identifier{"any"}, d.MetadataLocation(), icebergio.LoadFSFunc(nil, d.MetadataLocation()), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, records, err := tbl.Scan().ToArrowRecords(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for rec, err := range records {
		if err != nil {
			t.Fatal(err)
		}
		for i := range int(rec.NumRows()) {
			var line []string
			for _, c := range rec.Columns() {
				line = append(line, c.ValueStr(i))
			}
			out = append(out, strings.Join(line, " "))
		}
	}
	slices.Sort(out)
	return out
}
