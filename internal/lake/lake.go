// Package lake keeps audiences as Apache Iceberg tables (format version 2) in a byte store, with the
// SQL catalog in Roster's metadata database. A run changes a table by exactly one snapshot, which carries the
// run's id; readers see the whole change or nothing of it.
//
// A table lies in <warehouse>/<namespace>/<name>: Iceberg's own files in metadata/, the data files and position
// deletes of an attempt of a run in data/<run>-<attempt>/. What else the attempt keeps (delta, rejects, result) lies outside, where
// engines that remove a table's orphan files do not look: in <warehouse>/<namespace>/<name>-files/roster/<run>-<attempt>/. Every file is on disk, and so is its name, before the catalog's row names
// it: see files.go. Rows of a data file are sorted by _roster_id, which the merge of the next run relies on.
//
// The snapshot of each run is a version of the table: it can be read (At, Scan, Find) and be brought back (a Commit
// with Restore). Maintenance rewrites files (Rewrite), takes old versions out of the history (Expire), and removes
// what no snapshot names (RemoveOrphans). What it makes has no run and changes no row; its directories are named
// maintenance-<id>.
//
// Locations are file:// URIs. Other engines read the tables with nothing but the location of the metadata file,
// as long as the warehouse's path has no character that a URI escapes: pyiceberg, for one, does not unescape.
package lake

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"roster/internal/audience"
	"roster/internal/blob"
)

// Errors of the lake.
var (
	// ErrNotExist is returned by Load, by At for a snapshot that is not kept, and by Commit when the table was
	// dropped, or the snapshot to restore expired, meanwhile.
	ErrNotExist = errors.New("lake: no such table or snapshot")
	// ErrConflict is returned by Commit when another snapshot came first; nothing was changed.
	ErrConflict = errors.New("lake: another commit came first")
	// ErrUncertain is returned by Commit when the catalog failed so that the commit may stand all the same. The
	// attempt's files must stay; a later Load tells by FindRun.
	ErrUncertain = errors.New("lake: it is not known whether the commit stands")
)

// Config says where the lake lies.
type Config struct {
	Store     blob.Store // has the files of all tables, by the paths of their locations
	Warehouse string     // absolute directory that new tables lie in
	Catalog   *sql.DB    // the database of the SQL catalog
	Dialect   string     // "sqlite" or "postgres"
}

// Lake is a warehouse of tables and its catalog.
type Lake struct {
	catalog   *catalog
	files     files
	warehouse string
	finder    *finder
	copying   sync.Mutex // held while a sorted copy is made
}

// Open opens the lake and creates the catalog's tables when they are absent.
func Open(ctx context.Context, cfg Config) (*Lake, error) {
	if !filepath.IsAbs(cfg.Warehouse) {
		return nil, fmt.Errorf("the lake's warehouse %q is not an absolute path", cfg.Warehouse)
	}
	registerSnappy()
	in := files{cfg.Store, strings.TrimPrefix(filepath.ToSlash(filepath.Clean(cfg.Warehouse)), "/")}
	c := &catalog{cfg.Catalog, cfg.Dialect, in}
	if err := c.init(ctx); err != nil {
		return nil, fmt.Errorf("create the Iceberg catalog's tables: %w", err)
	}
	l := &Lake{catalog: c, files: in, warehouse: filepath.Clean(cfg.Warehouse)}
	l.finder = newFinder(l)
	return l, nil
}

// TableID names a table. Both parts are safe as file names.
type TableID struct {
	Namespace string
	Name      string
}

// Warehouse returns the directory that the tables lie in.
func (l *Lake) Warehouse() string { return l.warehouse }

// directory is the path of a table's directory in the store.
func (l *Lake) directory(id TableID) string {
	return path.Join(l.files.root, id.Namespace, id.Name)
}

// Create creates the table of an audience with the given fields. A table that exists stays as it is.
func (l *Lake) Create(ctx context.Context, id TableID, fields []audience.Field) error {
	_, err := l.catalog.location(ctx, id)
	if !errors.Is(err, ErrNotExist) {
		return err
	}
	first, err := newMetadata(tableSchema(fields), locationOf(l.directory(id)))
	if err == nil {
		err = l.catalog.create(ctx, id, first)
	}
	if err != nil {
		return fmt.Errorf("create table %s.%s: %w", id.Namespace, id.Name, err)
	}
	return nil
}

// Drop removes a table and then all its files. Dropping an absent table removes what a crash left of it.
func (l *Lake) Drop(ctx context.Context, id TableID) error {
	if err := l.catalog.drop(ctx, id); err != nil {
		return fmt.Errorf("drop table %s.%s: %w", id.Namespace, id.Name, err)
	}
	dir := l.directory(id)
	if err := errors.Join(l.files.store.Below(dir).RemoveAll(ctx, ""), l.files.store.Below(filesDir(dir)).RemoveAll(ctx, "")); err != nil {
		return fmt.Errorf("remove the files of table %s.%s: %w", id.Namespace, id.Name, err)
	}
	return nil
}

// Load returns a table as it is now; later commits do not change what the Dataset shows. ErrNotExist when there
// is none.
func (l *Lake) Load(ctx context.Context, id TableID) (*Dataset, error) {
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
	dir, err := pathOf(t.Location())
	if err != nil {
		return nil, err
	}
	columns, err := columnsOf(t.Metadata())
	if err != nil {
		return nil, fmt.Errorf("table %s.%s: %w", id.Namespace, id.Name, err)
	}
	return &Dataset{lake: l, id: id, table: t, dir: dir, folder: "data", columns: columns, snap: t.CurrentSnapshot()}, nil
}
