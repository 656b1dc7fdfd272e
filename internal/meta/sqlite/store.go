// Package sqlite is the metadata store of one machine: a SQLite database in the data directory.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"roster/internal/meta"
	"roster/internal/meta/sqlstore"
)

// Store is a metadata store in a SQLite file.
type Store struct{ *sqlstore.Store }

var _ meta.Store = (*Store)(nil)

// readers is how many reads run at once.
const readers = 8

// Open opens the database file and creates it, for its owner alone, when it is absent. What is committed is on
// disk: the journal is synced at every commit.
func Open(ctx context.Context, path string) (*Store, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("open the SQLite database: %w", err)
	}
	// SQLite has one writer at a time. With one connection writers queue here, in the order of their arrival.
	write, err := open(path, 1, "_txlock=immediate")
	if err != nil {
		return nil, err
	}
	read, err := open(path, readers, "_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	s, err := sqlstore.New(ctx, write, read, sqlstore.Dialect{
		Rewrite: strings.NewReplacer("$", "?", ` COLLATE "C"`, "").Replace, // it compares bytes unless it is told otherwise
		Retry:   busy,
	})
	if err != nil {
		return nil, err
	}
	return &Store{s}, nil
}

func open(path string, conns int, option string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open the SQLite database: %w", err)
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&"+option)
	if err != nil {
		return nil, fmt.Errorf("open the SQLite database: %w", err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// busy recognises that another process held the database for longer than the busy timeout.
func busy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}
