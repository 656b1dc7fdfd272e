// Package lake stores audiences as Apache Iceberg tables (format version 2) in a byte store, with the SQL catalog in
// Roster's metadata database. A run changes a table by exactly one snapshot, which contains the id of the run. Readers
// see either the whole change or nothing.
//
// A table lies in <warehouse>/<namespace>/<name>. Iceberg's own files are in metadata/. The data files and position
// deletes of a run's attempt are in data/<run>-<attempt>/. The other files of an attempt (delta, rejects, result) are
// in <warehouse>/<namespace>/<name>-files/roster/<run>-<attempt>/, outside the table's directory, because other engines
// remove orphan files in that directory. Every file and its name are durable before the catalog's row names the file:
// see files.go. Rows of a data file are sorted by _roster_id. The merge of the next run relies on this order.
//
// The snapshot of each run is a version of the table. A version can be read (At, Scan, Find) and restored (a Commit
// with Restore). Maintenance rewrites files (Rewrite), removes old versions from the history (Expire), and removes
// files that no snapshot names (RemoveOrphans). Snapshots of maintenance have no run and change no row. The directories
// of maintenance are named maintenance-<id>.
//
// Locations are URIs (file://, s3://, gs://, abfss://) whose paths are not escaped, because other engines do not unescape
// them. Other engines need only the location of the metadata file to read a table.
package lake

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/apache/iceberg-go"

	"roster/internal/audience"
	"roster/internal/blob"
)

// Errors of the lake.
var (
	// ErrNotExist is returned by Load if there is no such table, by At if the snapshot is not kept, and by Commit if
	// the table was dropped or the snapshot to restore has expired.
	ErrNotExist = errors.New("lake: no such table or snapshot")
	// ErrConflict is returned by Commit if another snapshot was committed first. Nothing changed.
	ErrConflict = errors.New("lake: another commit came first")
	// ErrUncertain is returned by Commit if the catalog failed and the commit may still have succeeded. The attempt's
	// files must stay. Load the table again and call FindRun to find out.
	ErrUncertain = errors.New("lake: it is not known whether the commit stands")
)

// Config is the configuration of a lake.
type Config struct {
	Store blob.Store // contains the files of all tables, by the paths of their locations
	// Original is Store without copies that Store may keep: checks of files read from there. Nil means Store.
	Original blob.Store
	// Base is the location of the store's root, such as s3://BUCKET. "" is the local disk.
	Base string
	// Warehouse is the directory of new tables: absolute on the local disk, otherwise a path in the store, "" for its root.
	Warehouse string
	Former    string  // another directory of the local disk that may have older tables; "" for none
	Catalog   *sql.DB // the database of the SQL catalog
	Dialect   string  // "sqlite" or "postgres"
}

// Lake is a warehouse of tables and its catalog.
type Lake struct {
	catalog   *catalog
	files     files
	warehouse string
	finder    *finder
	copying   sync.Mutex // held while a sorted copy is made
}

// Open opens the lake and creates the catalog's tables if they are absent.
func Open(ctx context.Context, cfg Config) (*Lake, error) {
	in := files{store: cfg.Store, original: cmp.Or(cfg.Original, cfg.Store), base: cmp.Or(cfg.Base, localBase), root: strings.Trim(cfg.Warehouse, "/")}
	if in.local() {
		if !filepath.IsAbs(cfg.Warehouse) {
			return nil, fmt.Errorf("the lake's warehouse %q is not an absolute path", cfg.Warehouse)
		}
		cfg.Warehouse = filepath.Clean(cfg.Warehouse)
		in.root, in.former = strings.TrimPrefix(filepath.ToSlash(cfg.Warehouse), "/"), filepath.ToSlash(cmp.Or(cfg.Former, cfg.Warehouse))
	}
	registerSnappy()
	c := &catalog{cfg.Catalog, cfg.Dialect, in}
	if err := c.init(ctx); err != nil {
		return nil, fmt.Errorf("create the Iceberg catalog's tables: %w", err)
	}
	l := &Lake{catalog: c, files: in, warehouse: cfg.Warehouse}
	l.finder = newFinder(l)
	return l, nil
}

// TableID names a table. Both parts are valid as file names.
type TableID struct {
	Namespace string
	Name      string
}

// Warehouse returns the directory of the tables on the local disk; "" if the tables lie in a bucket.
func (l *Lake) Warehouse() string {
	if !l.files.local() {
		return ""
	}
	return l.warehouse
}

// directory returns the path of a table's directory in the store.
func (fs files) directory(id TableID) string { return path.Join(fs.root, id.Namespace, id.Name) }

// Create creates the table of an audience with the given name and fields. An existing table does not change.
func (l *Lake) Create(ctx context.Context, id TableID, name string, fields []audience.Field) error {
	return l.create(ctx, id, name, fields, nil)
}

func (l *Lake) create(ctx context.Context, id TableID, name string, fields []audience.Field, more iceberg.Properties) error {
	_, err := l.catalog.location(ctx, id)
	if !errors.Is(err, ErrNotExist) {
		return err
	}
	first, err := newMetadata(name, tableSchema(fields), l.files.locationOf(l.files.directory(id)), more)
	if err == nil {
		err = l.catalog.create(ctx, id, first)
	}
	if err != nil {
		return fmt.Errorf("create table %s.%s: %w", id.Namespace, id.Name, err)
	}
	return nil
}

// Drop removes a table and then all its files. For an absent table, Drop removes files that a crash left behind.
func (l *Lake) Drop(ctx context.Context, id TableID) error {
	if err := l.catalog.drop(ctx, id); err != nil {
		return fmt.Errorf("drop table %s.%s: %w", id.Namespace, id.Name, err)
	}
	dir := l.files.directory(id)
	if err := errors.Join(l.files.store.Below(dir).RemoveAll(ctx, ""), l.files.store.Below(filesDir(dir)).RemoveAll(ctx, "")); err != nil {
		return fmt.Errorf("remove the files of table %s.%s: %w", id.Namespace, id.Name, err)
	}
	return nil
}

// Load returns a table at its current snapshot. Later commits do not change the Dataset. The error is ErrNotExist if
// there is no table, or only one that Recreate made and to which no run has committed. Then the error also wraps an
// *audience.Error, which applies if the audience exists.
func (l *Lake) Load(ctx context.Context, id TableID) (*Dataset, error) {
	d, err := l.load(ctx, id)
	if err == nil && d.Anew() {
		return nil, l.catalog.noTable(ctx, id)
	}
	return d, err
}

func (l *Lake) load(ctx context.Context, id TableID) (*Dataset, error) {
	t, err := l.catalog.LoadTable(ctx, id.ident())
	if errors.Is(err, ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("load table %s.%s: %w", id.Namespace, id.Name, err)
	}
	if rewound, err := l.rewind(ctx, id, t); err != nil {
		return nil, err
	} else if rewound {
		if t, err = l.catalog.LoadTable(ctx, id.ident()); err != nil {
			return nil, fmt.Errorf("load table %s.%s: %w", id.Namespace, id.Name, err)
		}
	}
	dir, err := l.files.pathOf(t.Location())
	if err != nil {
		return nil, err
	}
	columns, err := columnsOf(t.Metadata())
	if err != nil {
		return nil, fmt.Errorf("table %s.%s: %w", id.Namespace, id.Name, err)
	}
	return &Dataset{lake: l, id: id, table: t, dir: dir, folder: "data", columns: columns, snap: t.CurrentSnapshot()}, nil
}
