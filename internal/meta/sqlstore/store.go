// Package sqlstore contains the schema and the queries of the metadata store, written once for SQLite and PostgreSQL.
// An engine opens the database and describes the differences of its dialect.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"roster/internal/fault"
	"roster/internal/meta"
)

// Dialect describes the differences between the engines.
type Dialect struct {
	// Rewrite turns the numbered placeholders of a query, written $1, and COLLATE "C", the order of bytes, into the
	// engine's. Nil keeps them.
	Rewrite func(query string) string
	// MigrationLock is the statement that keeps two processes from migrating at once, "" when every transaction
	// of the writing handle does.
	MigrationLock string
	// Update and View are the options of a read-write transaction, which must be serialisable, and of a
	// read-only one, which must see one state.
	Update, View *sql.TxOptions
	// Retry reports, by the driver's error type and code, whether a failed transaction should be run again.
	Retry func(error) bool
}

// Store is a metadata store in a SQL database.
type Store struct {
	queries
	write, read *sql.DB
}

var _ meta.Store = (*Store)(nil)

// New returns a store over a writing and a reading handle of one database, which may be the same handle, and
// brings the schema up to date. The store owns the handles from then on, also after an error.
func New(ctx context.Context, write, read *sql.DB, d Dialect) (*Store, error) {
	s := &Store{write: write, read: read}
	s.queries = queries{db: read, d: &d, view: s.viewTx}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("bring the metadata store's schema up to date: %w", err), s.Close())
	}
	return s, nil
}

// DB is the writing handle, for the job queue and the lake's catalog. A transaction on it must not wait for
// another one: the SQLite engine's handle has a single connection.
func (s *Store) DB() *sql.DB { return s.write }

// Close implements meta.Store.
func (s *Store) Close() error {
	err := s.write.Close()
	if s.read != s.write {
		err = errors.Join(err, s.read.Close())
	}
	return err
}

// How a transaction that loses against others is tried again. The waits grow until those that collide are spread
// over more time than their transactions take, also on a machine where one takes a tenth of a second.
const (
	maxTries  = 20
	firstWait = 4 * time.Millisecond
	maxWait   = 500 * time.Millisecond
)

// Update implements meta.Store.
func (s *Store) Update(ctx context.Context, fn func(meta.Tx) error) error {
	wait := firstWait
	for try := 1; ; try++ {
		var inside *tx
		err := s.inTx(ctx, s.write, s.d.Update, func(t *sql.Tx) error {
			inside = s.newTx(t)
			return fn(inside)
		})
		if err == nil {
			for _, then := range inside.committed {
				then()
			}
			return nil
		}
		if try == maxTries || !s.d.Retry(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(rand.N(wait)):
		}
		wait = min(2*wait, maxWait)
	}
}

// viewTx runs fn on one state of the database.
func (s *Store) viewTx(ctx context.Context, fn func(queries) error) error {
	return s.inTx(ctx, s.read, s.d.View, func(t *sql.Tx) error { return fn(s.newTx(t).queries) })
}

func (s *Store) inTx(ctx context.Context, db *sql.DB, opts *sql.TxOptions, fn func(*sql.Tx) error) error {
	t, err := db.BeginTx(ctx, opts)
	if err != nil {
		return fmt.Errorf("begin a metadata transaction: %w", err)
	}
	defer t.Rollback() //nolint:errcheck // after a commit it does nothing, after an error there is a better one to report
	if err := fn(t); err != nil {
		return err
	}
	if err := fault.At("meta.commit"); err != nil {
		return err
	}
	if err := t.Commit(); err != nil {
		return fmt.Errorf("commit a metadata transaction: %w", err)
	}
	return fault.At("meta.commit" + fault.Done)
}

// tx implements meta.Tx.
type tx struct {
	queries
	sql       *sql.Tx
	committed []func() // to be called after the commit
}

var _ meta.Tx = (*tx)(nil)

func (s *Store) newTx(t *sql.Tx) *tx {
	inside := &tx{queries: queries{db: t, d: s.d}, sql: t}
	inside.view = func(_ context.Context, fn func(queries) error) error { return fn(inside.queries) }
	return inside
}

func (t *tx) SQL() *sql.Tx { return t.sql }

func (t *tx) Committed(fn func()) { t.committed = append(t.committed, fn) }
