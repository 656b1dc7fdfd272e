// Package postgres is the metadata store of several machines: a PostgreSQL database, 12 or newer.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"roster/internal/meta"
	"roster/internal/meta/sqlstore"
)

// Store is a metadata store in a PostgreSQL database.
type Store struct{ *sqlstore.Store }

var _ meta.Store = (*Store)(nil)

// SQLSTATE codes.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
)

// conns is how many connections a process opens at most; idle ones are closed.
const (
	conns    = 16
	idleTime = 5 * time.Minute
)

// Open connects to the database and brings its schema, in the first schema of the search path, up to date.
func Open(ctx context.Context, url string) (*Store, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		// The driver's error repeats the URL, which may hold a password.
		return nil, errors.New("the PostgreSQL URL cannot be read: it looks like postgres://USER:PASSWORD@HOST:5432/DATABASE")
	}
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxIdleTime(idleTime)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to PostgreSQL: %w", err), db.Close())
	}
	s, err := sqlstore.New(ctx, db, db, sqlstore.Dialect{
		MigrationLock: `SELECT pg_advisory_xact_lock(hashtext(current_schema() || '.roster.schema_versions'))`,
		Update:        &sql.TxOptions{Isolation: sql.LevelSerializable},
		View:          &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
		Retry:         lost,
	})
	if err != nil {
		return nil, err
	}
	return &Store{s}, nil
}

// lost recognises a transaction that lost against another one.
func lost(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == serializationFailure || e.Code == deadlockDetected)
}
