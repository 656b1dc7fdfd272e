package lake

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/apache/iceberg-go"

	"roster/internal/audience"
)

// Another program can drop the table of an audience (DROP TABLE), or rename the table. Then the catalog does not name the
// table any more, and only a full run can go on: it makes the table anew (Recreate). Until the full run commits, the new
// table counts as missing, so a failed run leaves the audience as it was.

// propAnew is the property of a table that Recreate made. It contains the time in milliseconds.
const propAnew = "roster.anew"

// Anew reports whether Recreate made the table and no run has committed since.
func (d *Dataset) Anew() bool {
	_, made := d.MadeAnew()
	return made && d.snap == nil && d.table.Properties()[propLast] == ""
}

// MadeAnew returns the time at which Recreate made the table; false if it did not. Older files in the table's directory
// are those of the dropped table, until maintenance removes them.
func (d *Dataset) MadeAnew() (time.Time, bool) {
	at, err := strconv.ParseInt(d.table.Properties()[propAnew], 10, 64)
	return time.UnixMilli(at), err == nil
}

// Recreate returns a table without rows, in place of a table that another program dropped. If Recreate was called before
// and no run has committed since, the result is the same table.
func (l *Lake) Recreate(ctx context.Context, id TableID, name string, fields []audience.Field) (*Dataset, error) {
	renamed, err := l.catalog.renamed(ctx, id)
	if err == nil && renamed != "" {
		err = l.catalog.noTable(ctx, id)
	}
	if err == nil {
		err = l.create(ctx, id, name, fields, iceberg.Properties{propAnew: strconv.FormatInt(time.Now().UnixMilli(), 10)})
	}
	if err != nil {
		return nil, err
	}
	return l.load(ctx, id)
}

// noTable returns the error for a table that the catalog does not name: ErrNotExist, and an *audience.Error for the case
// that the audience exists.
func (c *catalog) noTable(ctx context.Context, id TableID) error {
	renamed, err := c.renamed(ctx, id)
	if err != nil {
		return err
	}
	why := audience.Errorf(audience.Impossible, "another program has dropped the table of the audience, %s.%s, from the catalog, or the catalog is an older copy. Look-ups show the members of the last run. "+
		"To go on, start a full run, which makes the table anew from the audience's files; or stop the server and restore the catalog, and the dataset's files if they are gone, from a backup", id.Namespace, id.Name)
	if renamed != "" {
		why = audience.Errorf(audience.Impossible, "another program has renamed the table of the audience, %s.%s, to %s. Look-ups show the members of the last run. "+
			"To go on, give the table its name back with that program (ALTER TABLE ... RENAME TO)", id.Namespace, id.Name, renamed)
	}
	return fmt.Errorf("%w: %w", ErrNotExist, why)
}

// renamed returns the name of another table whose metadata lies in the directory of a table; "" if there is none. Earlier
// versions of Roster escaped locations.
func (c *catalog) renamed(ctx context.Context, id TableID) (name string, err error) {
	dir := c.files.directory(id) + "/"
	plain, escaped := c.files.locationOf(dir), (&url.URL{Scheme: "file", Path: "/" + dir}).String()
	err = c.db.QueryRowContext(ctx, c.spelled(`SELECT table_namespace || '.' || table_name FROM iceberg_tables
		WHERE (substr(metadata_location, 1, $1) = $2 OR substr(metadata_location, 1, $3) = $4) AND NOT (table_namespace = $5 AND table_name = $6) LIMIT 1`),
		utf8.RuneCountInString(plain), plain, len(escaped), escaped, id.Namespace, id.Name).Scan(&name)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("find table %s.%s: %w", id.Namespace, id.Name, err)
	}
	return name, nil
}

// Names returns the names of all tables in the catalog.
func (l *Lake) Names(ctx context.Context) (map[TableID]bool, error) {
	rows, err := l.catalog.db.QueryContext(ctx, l.catalog.spelled(`SELECT table_namespace, table_name FROM iceberg_tables WHERE catalog_name = $1`), catalogName)
	if err != nil {
		return nil, fmt.Errorf("list the tables of the catalog: %w", err)
	}
	defer rows.Close()
	names := map[TableID]bool{}
	for rows.Next() {
		var id TableID
		if err := rows.Scan(&id.Namespace, &id.Name); err != nil {
			return nil, fmt.Errorf("list the tables of the catalog: %w", err)
		}
		names[id] = true
	}
	return names, rows.Err()
}
