// Package sqlite is the metadata store of one machine: a SQLite database in the data directory.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"roster/internal/meta/sqlstore"
)

// Store is a metadata store in a SQLite file.
type Store struct{ *sqlstore.Store }

// Open opens the database file, which it creates when it is absent. What is committed is on disk: the journal is
// synced at every commit.
func Open(ctx context.Context, path string) (*Store, error) {
	write, err := open(path, "_txlock=immediate")
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1) // SQLite has one writer; waiting here is fairer than its busy loop
	read, err := open(path, "_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(4)
	s, err := sqlstore.New(ctx, write, read, sqlstore.Dialect{
		Serial: "INTEGER PRIMARY KEY AUTOINCREMENT", Blob: "BLOB", Bool: "BOOLEAN", Question: true,
		IsDuplicate: func(err error) bool {
			return hasCode(err, sqlite3.SQLITE_CONSTRAINT_UNIQUE) || hasCode(err, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
		},
		IsRetry: func(err error) bool { return hasCode(err, sqlite3.SQLITE_BUSY) },
	})
	if err != nil {
		return nil, errors.Join(err, read.Close(), write.Close())
	}
	return &Store{s}, nil
}

func open(path, option string) (*sql.DB, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&" + option
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

func hasCode(err error, code int) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == code
}
