package app

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver of the catalog

	"roster/internal/blob"
	"roster/internal/blob/cached"
	"roster/internal/blob/local"
	"roster/internal/lake"
)

// openLake opens the datasets and their catalog. With PostgreSQL the catalog is in that database. With SQLite it is a
// separate database: a commit of a dataset never waits for the metadata's only writer, and other engines can open the
// catalog without access to anything else.
func (a *App) openLake(ctx context.Context) error {
	cfg, err := a.lakeFiles(ctx)
	if err != nil {
		return err
	}
	cfg.Catalog, cfg.Dialect = a.meta.DB(), "postgres"
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
	if cfg.Base != "" {
		return a.checkBucketTables(ctx, cfg)
	}
	return a.checkTables(ctx, cfg.Catalog)
}

// lakeFiles opens the byte store of the datasets: the local disk, or the operator's bucket.
func (a *App) lakeFiles(ctx context.Context) (lake.Config, error) {
	if dir := a.warehouse(); dir != "" {
		if strings.ContainsAny(dir, "#?") {
			a.log.Warn("the path of the datasets contains # or ?, so pyiceberg and Polars cannot read them; Spark and DuckDB can", "directory", dir)
		}
		disk, err := local.Open(string(filepath.Separator)) // tables created before --lake-url was set lie elsewhere
		return lake.Config{Store: disk, Warehouse: dir, Former: a.path("lake")}, err
	}
	address, err := parseBucket(a.cfg.LakeURL)
	if err != nil {
		return lake.Config{}, fmt.Errorf("--lake-url, ROSTER_LAKE_URL: %w", err)
	}
	cfg := lake.Config{Warehouse: address.folder}
	if cfg.Base, err = address.location(); err == nil {
		cfg.Store, err = address.open(ctx, "")
	}
	if err == nil {
		err = a.claimBucket(ctx, cfg.Store, path.Join(address.folder, installationFile))
	}
	if err != nil {
		return lake.Config{}, fmt.Errorf("--lake-url, ROSTER_LAKE_URL: %w", err)
	}
	cfg.Original = cfg.Store
	cfg.Store, err = a.withCopies(ctx, cfg.Store)
	return cfg, err
}

// withCopies returns a bucket whose objects are copied to the data directory when they are written or read. A process
// begins without copies.
func (a *App) withCopies(ctx context.Context, far blob.Store) (blob.Store, error) {
	if err := os.MkdirAll(a.path("cache"), 0o700); err != nil {
		return nil, err
	}
	near, err := local.Open(a.path("cache"))
	if err == nil {
		err = near.RemoveAll(ctx, "")
	}
	if err != nil {
		return nil, fmt.Errorf("open the copies of datasets: %w", err)
	}
	return cached.New(far, near, a.cfg.LakeCache), nil
}

// warehouse returns the local folder of the datasets; "" if they lie in a bucket.
func (a *App) warehouse() string {
	switch u, _ := url.Parse(a.cfg.LakeURL); { // setLakeURL has validated it
	case a.cfg.LakeURL == "":
		return a.path("lake")
	case u.Scheme == "file":
		return filepath.Clean(u.Path)
	}
	return ""
}

// installationFile is the object that says whose datasets lie in a folder of a bucket: the id of the data directory, a
// JSON string.
const installationFile = "roster-installation.json"

// claimBucket refuses a folder of a bucket whose datasets belong to another data directory: both would remove the files
// that the other one needs.
func (a *App) claimBucket(ctx context.Context, store blob.Store, object string) error {
	id, err := directoryID(a.path("id"))
	if err != nil {
		return err
	}
	text, err := json.Marshal(id)
	if err != nil {
		return err
	}
	_, err = blob.Put(ctx, store, object, bytes.NewReader(text), nil, blob.CreateOptions{IfAbsent: true})
	if err == nil {
		return nil
	}
	if !errors.Is(err, blob.ErrExist) {
		return fmt.Errorf("the bucket cannot be written: %w", err)
	}
	found, err := blob.Get(ctx, store, object)
	if err != nil {
		return fmt.Errorf("the bucket cannot be read: %w", err)
	}
	if !bytes.Equal(found, text) {
		return fmt.Errorf("the folder of the bucket belongs to another data directory, whose file id holds %.100s, and this one's, %s, holds %s; "+
			"start with that data directory, restore its file id if that is lost, or name another folder", found, a.path("id"), text)
	}
	return nil
}

// elsewhere is the error for a dataset that does not lie where the datasets should be.
func elsewhere(location, place string) error {
	return fmt.Errorf("--lake-url, ROSTER_LAKE_URL: the catalog names a dataset at %s, which does not lie in %s; name the place where the datasets are", location, place)
}

// checkBucketTables refuses a catalog whose datasets do not lie in the bucket's folder, and a catalog of whose datasets
// none exists.
func (a *App) checkBucketTables(ctx context.Context, cfg lake.Config) error {
	locations, err := tableLocations(ctx, cfg.Catalog)
	if err != nil {
		return err
	}
	folder := strings.TrimRight(cfg.Base+"/"+cfg.Warehouse, "/") + "/"
	for _, location := range locations {
		if !strings.HasPrefix(location, folder) {
			return elsewhere(location, folder)
		}
	}
	var missing error
	for _, location := range locations[:min(len(locations), 10)] { // one of them is enough
		if _, missing = cfg.Store.Stat(ctx, strings.TrimPrefix(location, cfg.Base+"/")); missing == nil {
			break
		}
	}
	if errors.Is(missing, blob.ErrNotExist) {
		return fmt.Errorf("--lake-url, ROSTER_LAKE_URL: the catalog names %d datasets, and those that were looked for do not exist, such as %s; name the place where they are, or restore them from a backup",
			len(locations), locations[0])
	}
	if missing != nil {
		return fmt.Errorf("--lake-url, ROSTER_LAKE_URL: %w", missing)
	}
	return nil
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
