// Package sqlstore holds what the SQL engines of the metadata store share: the schema and the queries. An engine
// opens the database, says how its dialect differs, and recognises its driver's errors.
package sqlstore

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"roster/internal/meta"
)

// Dialect is how an engine differs.
type Dialect struct {
	// Serial, Blob and Bool are the types of a growing number that is a primary key, of bytes and of a truth value.
	Serial, Blob, Bool string
	// Lock serialises migrations of several processes; "" when the transaction already does.
	Lock string
	// Numbered placeholders are written $1; when Question is set the engine wants ?1.
	Question bool
	// IsDuplicate and IsRetry recognise a broken uniqueness and a failed serialisation by the driver's error.
	IsDuplicate, IsRetry func(error) bool
}

//go:embed schema.sql
var schema string

// migrations are applied in order, each once. One that was released is never changed.
var migrations = []string{schema}

// Store is a metadata store on a SQL database.
type Store struct {
	queries
	write *sql.DB
}

var _ meta.Store = (*Store)(nil)

// New returns a store over a writing and a reading handle of one database, which may be the same, and brings the
// schema up to date.
func New(ctx context.Context, write, read *sql.DB, d Dialect) (*Store, error) {
	s := &Store{queries: queries{db: read, d: &d}, write: write}
	if err := s.migrate(ctx); err != nil {
		return nil, fmt.Errorf("bring the metadata store's schema up to date: %w", err)
	}
	return s, nil
}

// DB is the writing handle.
func (s *Store) DB() *sql.DB { return s.write }

func (s *Store) migrate(ctx context.Context) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if s.d.Lock != "" {
		if _, err := tx.ExecContext(ctx, s.d.Lock); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS roster_schema (version BIGINT NOT NULL)`); err != nil {
		return err
	}
	var version int
	if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM roster_schema`).Scan(&version); err != nil {
		return err
	}
	if version > len(migrations) {
		return fmt.Errorf("the database has schema version %d, this program knows up to %d: use a newer Roster", version, len(migrations))
	}
	words := strings.NewReplacer("{{serial}}", s.d.Serial, "{{blob}}", s.d.Blob, "{{bool}}", s.d.Bool)
	for i := version; i < len(migrations); i++ {
		for _, stmt := range strings.Split(words.Replace(migrations[i]), ";\n") {
			if strings.TrimSpace(stmt) == "" {
				continue
			}
			if _, err := tx.ExecContext(ctx, stmt); err != nil {
				return fmt.Errorf("version %d: %w", i+1, err)
			}
		}
		if _, err := tx.ExecContext(ctx, fmt.Sprintf(`INSERT INTO roster_schema (version) VALUES (%d)`, i+1)); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// Update implements meta.Store.
func (s *Store) Update(ctx context.Context, fn func(meta.Tx) error) error {
	for try := 1; ; try++ {
		err := s.update(ctx, fn)
		if err == nil || try == 10 || !s.d.IsRetry(err) {
			return err
		}
	}
}

func (s *Store) update(ctx context.Context, fn func(meta.Tx) error) error {
	sqlTx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	defer sqlTx.Rollback()
	if err := fn(&tx{queries: queries{db: sqlTx, d: s.d}, sql: sqlTx}); err != nil {
		return err
	}
	if err := sqlTx.Commit(); err != nil {
		return fmt.Errorf("commit a transaction: %w", err)
	}
	return nil
}

// Close implements meta.Store.
func (s *Store) Close() error {
	read := s.db.(*sql.DB)
	if read == s.write {
		return read.Close()
	}
	return errors.Join(read.Close(), s.write.Close())
}

// handle is a database or a transaction.
type handle interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// queries are the reads, on a database or inside a transaction.
type queries struct {
	db handle
	d  *Dialect
}

func (q queries) text(query string) string {
	if q.d.Question {
		return strings.ReplaceAll(query, "$", "?")
	}
	return query
}

// one scans a single row; meta.ErrNotFound when there is none.
func (q queries) one(ctx context.Context, what, query string, args []any, to ...any) error {
	err := q.db.QueryRowContext(ctx, q.text(query), args...).Scan(to...)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s: %w", what, meta.ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	return nil
}

// each calls scan for every row.
func (q queries) each(ctx context.Context, what, query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := q.db.QueryContext(ctx, q.text(query), args...)
	if err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("read %s: %w", what, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	return nil
}

// exec runs a statement and returns how many rows it touched; a broken uniqueness is meta.ErrDuplicate.
func (q queries) exec(ctx context.Context, what, query string, args ...any) (int64, error) {
	res, err := q.db.ExecContext(ctx, q.text(query), args...)
	if err != nil {
		if q.d.IsDuplicate(err) {
			return 0, fmt.Errorf("%s: %w", what, meta.ErrDuplicate)
		}
		return 0, fmt.Errorf("write %s: %w", what, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", what, err)
	}
	return n, nil
}

// mustTouch is exec for a statement that must touch a row; absent is the error when it does not.
func (q queries) mustTouch(ctx context.Context, absent error, what, query string, args ...any) error {
	n, err := q.exec(ctx, what, query, args...)
	if err == nil && n == 0 {
		err = fmt.Errorf("%s: %w", what, absent)
	}
	return err
}

// doc is a value that is stored as JSON.
type doc[T any] struct{ v *T }

// Scan implements sql.Scanner.
func (d doc[T]) Scan(src any) error {
	switch src := src.(type) {
	case string:
		return json.Unmarshal([]byte(src), d.v)
	case []byte:
		return json.Unmarshal(src, d.v)
	}
	return fmt.Errorf("a document stored as %T", src)
}

func toJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic("sqlstore: a value that JSON cannot hold: " + err.Error())
	}
	return string(text)
}
