package app

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver of the catalog

	"roster/internal/blob/local"
	"roster/internal/lake"
)

// openLake opens the datasets and their catalog. With PostgreSQL the catalog is in that database. With SQLite it is a
// separate database: a commit of a dataset never waits for the metadata's only writer, and other engines can open the
// catalog without access to anything else.
func (a *App) openLake(ctx context.Context) error {
	disk, err := local.Open(string(filepath.Separator)) // tables created before --lake-url was set lie elsewhere
	if err != nil {
		return err
	}
	if strings.ContainsAny(a.warehouse(), "#?") {
		a.log.Warn("the path of the datasets contains # or ?, so pyiceberg and Polars cannot read them; Spark and DuckDB can", "directory", a.warehouse())
	}
	cfg := lake.Config{Store: disk, Warehouse: a.warehouse(), Former: a.path("lake"), Catalog: a.meta.DB(), Dialect: "postgres"}
	if a.cfg.DatabaseURL == "" {
		if err := a.checkCatalog(ctx); err != nil {
			return err
		}
		db, err := sql.Open("sqlite", catalogDSN(a.path("catalog.db")))
		if err != nil {
			return fmt.Errorf("open the catalog: %w", err)
		}
		a.closers = append(a.closers, db.Close)
		cfg.Catalog, cfg.Dialect, a.catalog = db, "sqlite", db
	}
	if err := a.checkCatalogTables(ctx, cfg.Catalog); err != nil {
		return err
	}
	if a.lake, err = lake.Open(ctx, cfg); err != nil {
		return err
	}
	return a.checkTables(ctx, cfg.Catalog)
}

// warehouse returns the folder of the datasets.
func (a *App) warehouse() string {
	if a.cfg.LakeURL == "" {
		return a.path("lake")
	}
	u, _ := url.Parse(a.cfg.LakeURL) // setLakeURL has validated it
	return filepath.Clean(u.Path)
}

// catalogDSN opens a database whose commits are on the disk when they return, because the commit of a dataset is the
// point at which an audience changes.
func catalogDSN(path string) string {
	u := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{
		"_pragma": {"busy_timeout(30000)", "journal_mode(WAL)", "synchronous(FULL)"},
		"_txlock": {"immediate"},
	}.Encode()}
	return u.String()
}
