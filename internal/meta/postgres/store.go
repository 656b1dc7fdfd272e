// Package postgres is the metadata store of several machines: a PostgreSQL database.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"roster/internal/meta/sqlstore"
)

// Store is a metadata store in a PostgreSQL database.
type Store struct{ *sqlstore.Store }

// SQLSTATE codes.
const (
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
)

// Open connects to the database at the URL and brings its schema up to date.
func Open(ctx context.Context, url string) (*Store, error) {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return nil, errors.New("open the PostgreSQL database: the URL cannot be parsed") // the driver's error may hold the password
	}
	db.SetMaxOpenConns(16)
	db.SetConnMaxIdleTime(5 * time.Minute)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to the PostgreSQL database: %w", err), db.Close())
	}
	s, err := sqlstore.New(ctx, db, db, sqlstore.Dialect{
		Serial: "BIGSERIAL PRIMARY KEY", Blob: "BYTEA", Bool: "BOOLEAN",
		Lock:        `SELECT pg_advisory_xact_lock(7031962)`,
		IsDuplicate: func(err error) bool { return hasCode(err, uniqueViolation) },
		IsRetry:     func(err error) bool { return hasCode(err, serializationFailure) || hasCode(err, deadlockDetected) },
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Store{s}, nil
}

func hasCode(err error, code string) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == code
}
