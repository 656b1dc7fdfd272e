package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"roster/internal/meta"
)

// queries are the reads, on the reading handle or inside a transaction, and the way to every statement.
type queries struct {
	db handle
	d  *Dialect
	// view runs several reads on one state.
	view func(ctx context.Context, fn func(queries) error) error
}

// handle is a database or a transaction.
type handle interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func (q queries) rewrite(query string) string {
	if q.d.Rewrite == nil {
		return query
	}
	return q.d.Rewrite(query)
}

// row is what a scan function reads from: the current row of a result.
type row interface{ Scan(dest ...any) error }

// nowhere is a text that no row has.
var nowhere = "unstorable " + uuid.NewString()

// each calls scan for every row. what names the rows in errors. A query may contain a text that the engines cannot
// store, from a client or a file name. No row can match it, but PostgreSQL would fail. Such a text is bound as another
// text that no row has. NULL would not work, because comparisons with NULL, including NOT IN, are unknown.
func (q queries) each(ctx context.Context, what, query string, args []any, scan func(row) error) error {
	if slices.ContainsFunc(args, unstorable) {
		args = slices.Clone(args)
		for i := range args {
			if unstorable(args[i]) {
				args[i] = nowhere
			}
		}
	}
	rows, err := q.db.QueryContext(ctx, q.rewrite(query), args...)
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

// unstorable reports whether an argument is a text that PostgreSQL cannot store.
func unstorable(arg any) bool {
	v := reflect.ValueOf(arg)
	return v.Kind() == reflect.String && (strings.ContainsRune(v.String(), 0) || !utf8.ValidString(v.String()))
}

// list returns what scan makes of every row.
func list[T any](ctx context.Context, q queries, what, query string, args []any, scan func(row) (T, error)) ([]T, error) {
	var all []T
	err := q.each(ctx, what, query, args, func(r row) error {
		v, err := scan(r)
		all = append(all, v)
		return err
	})
	return all, err
}

// one returns the scanned single row, meta.ErrNotFound if there is none.
func one[T any](ctx context.Context, q queries, what, query string, args []any, scan func(row) (T, error)) (T, error) {
	all, err := list(ctx, q, what, query, args, scan)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s: %w", what, meta.ErrNotFound)
	}
	if err != nil {
		return *new(T), err
	}
	return all[0], nil
}

// value scans a row of one column.
func value[T any](r row) (v T, err error) { return v, r.Scan(&v) }

// exec runs a statement and returns how many rows it touched.
func (q queries) exec(ctx context.Context, what, query string, args ...any) (int64, error) {
	res, err := q.db.ExecContext(ctx, q.rewrite(query), args...)
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", what, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", what, err)
	}
	return n, nil
}

// must is exec for a statement that must affect a row; otherwise is the error if it does not.
func (q queries) must(ctx context.Context, otherwise error, what, query string, args ...any) error {
	n, err := q.exec(ctx, what, query, args...)
	if err == nil && n == 0 {
		err = fmt.Errorf("%s: %w", what, otherwise)
	}
	return err
}

// insert adds a row; meta.ErrDuplicate if a unique value is in use. The conflict is not an error of the database, so
// the transaction stays usable.
func (q queries) insert(ctx context.Context, what, table, columns string, args ...any) error {
	query := `INSERT INTO ` + table + ` (` + columns + `) VALUES (` + placeholders(1, len(args)) + `) ON CONFLICT DO NOTHING`
	return q.must(ctx, meta.ErrDuplicate, what, query, args...)
}

// placeholders returns "$first, …" for n parameters.
func placeholders(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", first+i)
	}
	return b.String()
}

// next returns the next number of a counter. A committed number is never reused.
func (q queries) next(ctx context.Context, counter string) (int64, error) {
	return one(ctx, q, "the counter "+counter, `UPDATE counters SET value = value + 1 WHERE name = $1 RETURNING value`,
		[]any{counter}, value[int64])
}

// fold returns the form in which names that ignore case are compared.
func fold(name string) string { return strings.ToLower(name) }

// jsonColumn binds or scans a pointer's value as JSON text.
type jsonColumn struct{ v any }

var errNoText = errors.New("a JSON column does not hold text")

func asJSON(v any) jsonColumn { return jsonColumn{v} }

// Value implements driver.Valuer.
func (c jsonColumn) Value() (driver.Value, error) {
	text, err := json.Marshal(c.v)
	return string(text), err
}

// Scan implements sql.Scanner.
func (c jsonColumn) Scan(src any) error {
	switch src := src.(type) {
	case string:
		return json.Unmarshal([]byte(src), c.v)
	case []byte:
		return json.Unmarshal(src, c.v)
	}
	return errNoText
}

// timeColumn binds or scans a time as microseconds since 1970. The zero time keeps its identity.
type timeColumn struct{ t *time.Time }

var errNoTime = errors.New("a time column does not hold an integer")

func asTime(t *time.Time) timeColumn { return timeColumn{t} }

// Value implements driver.Valuer.
func (c timeColumn) Value() (driver.Value, error) { return c.t.UnixMicro(), nil }

// Scan implements sql.Scanner.
func (c timeColumn) Scan(src any) error {
	us, ok := src.(int64)
	if !ok {
		return errNoTime
	}
	*c.t = time.UnixMicro(us).UTC()
	return nil
}
