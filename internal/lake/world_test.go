package lake_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"roster/internal/audience"
	"roster/internal/lake"
)

// world is a lake of its own with one table.
type world struct {
	*lake.Lake
	warehouse string
	db        *sql.DB
	table     lake.TableID
}

// setup makes a lake on SQLite with a table of the given fields.
func setup(t testing.TB, fields []audience.Field) *world {
	t.Helper()
	dir := t.TempDir()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	w := &world{warehouse: filepath.Join(dir, "lake"), db: db, table: lake.TableID{Namespace: "org_prod", Name: "a1"}}
	if w.Lake, err = lake.Open(t.Context(), lake.Config{Warehouse: w.warehouse, Catalog: db, Dialect: "sqlite"}); err != nil {
		t.Fatal(err)
	}
	if err := w.Create(t.Context(), w.table, fields); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) load(t testing.TB) *lake.Dataset {
	t.Helper()
	d, err := w.Load(t.Context(), w.table)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
