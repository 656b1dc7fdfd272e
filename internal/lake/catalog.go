package lake

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
)

// catalog implements the part of Iceberg's SQL catalog that Roster uses: the row of a table names the file of its
// current metadata. The tables and their columns are those of the Java, Python and Go libraries, so these libraries can
// open Roster's tables.
type catalog struct {
	db      *sql.DB
	dialect string // "sqlite" or "postgres"
	files   files
}

var _ table.CatalogIO = (*catalog)(nil)

// catalogName is the name of Roster's catalog in the catalog's database.
const catalogName = "roster"

// catalogTables are the statements with which Iceberg's libraries create these tables.
var catalogTables = []string{
	`CREATE TABLE IF NOT EXISTS iceberg_tables (catalog_name VARCHAR NOT NULL, table_namespace VARCHAR NOT NULL, table_name VARCHAR NOT NULL,
		iceberg_type VARCHAR, metadata_location VARCHAR, previous_metadata_location VARCHAR, PRIMARY KEY (catalog_name, table_namespace, table_name))`,
	`CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (catalog_name VARCHAR NOT NULL, namespace VARCHAR NOT NULL, property_key VARCHAR NOT NULL,
		property_value VARCHAR, PRIMARY KEY (catalog_name, namespace, property_key))`,
}

// exec runs a statement with the parameters $1, $2, … and returns the number of rows that changed.
func (c *catalog) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	r, err := c.db.ExecContext(ctx, c.spelled(statement), args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// spelled returns the statement with its parameters in the syntax of the dialect.
func (c *catalog) spelled(statement string) string {
	if c.dialect == "sqlite" {
		return strings.ReplaceAll(statement, "$", "?")
	}
	return statement
}

// init creates the catalog's tables if they are absent.
func (c *catalog) init(ctx context.Context) error {
	for _, statement := range catalogTables {
		if _, err := c.exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// create registers a table with its first metadata. An existing table does not change.
func (c *catalog) create(ctx context.Context, id TableID, first table.Metadata) error {
	if _, err := c.exec(ctx, `INSERT INTO iceberg_namespace_properties (catalog_name, namespace, property_key, property_value)
		VALUES ($1, $2, 'exists', 'true') ON CONFLICT DO NOTHING`, catalogName, id.Namespace); err != nil {
		return fmt.Errorf("create the namespace: %w", err)
	}
	location := metadataLocation(first.Location()+"/metadata", 0)
	if err := c.files.writeMetadata(location, first); err != nil {
		return err
	}
	n, err := c.exec(ctx, `INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, iceberg_type, metadata_location)
		VALUES ($1, $2, $3, 'TABLE', $4) ON CONFLICT DO NOTHING`, catalogName, id.Namespace, id.Name, location)
	if err != nil || n == 1 {
		return err
	}
	return c.files.Remove(location) // another process created the table at the same time
}

// drop removes a table from the catalog. An absent table is not an error.
func (c *catalog) drop(ctx context.Context, id TableID) error {
	_, err := c.exec(ctx, `DELETE FROM iceberg_tables WHERE catalog_name = $1 AND table_namespace = $2 AND table_name = $3`, catalogName, id.Namespace, id.Name)
	return err
}

// location returns the location of a table's current metadata. Every change of the table changes the location. The
// error is ErrNotExist if there is no table.
func (c *catalog) location(ctx context.Context, id TableID) (location string, err error) {
	query := `SELECT metadata_location FROM iceberg_tables WHERE catalog_name = $1 AND table_namespace = $2 AND table_name = $3`
	err = c.db.QueryRowContext(ctx, c.spelled(query), catalogName, id.Namespace, id.Name).Scan(&location)
	if errors.Is(err, sql.ErrNoRows) {
		return "", c.noTable(ctx, id)
	}
	if err != nil {
		return "", fmt.Errorf("find table %s.%s: %w", id.Namespace, id.Name, err)
	}
	return location, nil
}

// replace changes the location of a table's metadata from was to is. False means that the location is no longer was,
// and nothing changed.
func (c *catalog) replace(ctx context.Context, id TableID, was, is string) (bool, error) {
	n, err := c.exec(ctx, `UPDATE iceberg_tables SET metadata_location = $1, previous_metadata_location = $2
		WHERE catalog_name = $3 AND table_namespace = $4 AND table_name = $5 AND metadata_location = $2`, is, was, catalogName, id.Namespace, id.Name)
	return n == 1, err
}

// LoadTable implements table.CatalogIO. The error is ErrNotExist if there is no table.
func (c *catalog) LoadTable(ctx context.Context, ident table.Identifier) (*table.Table, error) {
	location, err := c.location(ctx, idOf(ident))
	if err != nil {
		return nil, err
	}
	return table.NewFromLocation(ctx, ident, location, c.files.open, c)
}

// CommitTable implements table.CatalogIO. The error is table.ErrCommitFailed if another commit changed the table after
// it was read, and ErrNotExist if the table was dropped. If a requirement fails, CommitTable returns the error of the
// requirement.
func (c *catalog) CommitTable(ctx context.Context, ident table.Identifier, reqs []table.Requirement, updates []table.Update) (table.Metadata, string, error) {
	current, err := c.LoadTable(ctx, ident)
	if err != nil {
		return nil, "", err
	}
	for _, r := range reqs {
		if err := r.Validate(current.Metadata()); err != nil {
			return nil, "", err
		}
	}
	was := current.MetadataLocation()
	next, err := table.UpdateTableMetadata(current.Metadata(), updates, was)
	if err != nil {
		return nil, "", err
	}
	if next.Equals(current.Metadata()) {
		return next, was, nil
	}
	is, err := c.files.nextLocation(was)
	if err != nil {
		return nil, "", err
	}
	if err := c.files.writeMetadata(is, next); err != nil {
		return nil, "", err
	}
	replaced, err := c.replace(ctx, idOf(ident), was, is)
	if err != nil {
		return nil, "", fmt.Errorf("change the catalog: %w", err)
	}
	if !replaced {
		err := fmt.Errorf("%w: the metadata of table %s is not %s any more", table.ErrCommitFailed, strings.Join(ident, "."), path.Base(was))
		return nil, "", errors.Join(err, c.files.Remove(is)) // nothing will name the file
	}
	return next, is, nil
}

func idOf(ident table.Identifier) TableID { return TableID{Namespace: ident[0], Name: ident[1]} }

func (id TableID) ident() table.Identifier { return table.Identifier{id.Namespace, id.Name} }

// metadataLocation returns a new location in the directory for a table's metadata.
func metadataLocation(dir string, version int) string {
	return fmt.Sprintf("%s/%05d-%s.metadata.json", dir, version, uuid.NewString())
}

// nextLocation returns a location for the metadata that follows the metadata at was.
func (fs files) nextLocation(was string) (string, error) {
	var version int
	if _, err := fmt.Sscanf(path.Base(was), "%d-", &version); err != nil {
		return "", fmt.Errorf("the name of the metadata %s has no number: %w", was, err)
	}
	p, err := fs.pathOf(was)
	return metadataLocation(fs.locationOf(path.Dir(p)), version+1), err
}

// writeMetadata writes the metadata of a table to a location that has no file yet.
func (fs files) writeMetadata(location string, content any) error {
	text, err := json.Marshal(content)
	if err != nil {
		return err
	}
	return fs.WriteFile(location, text)
}

// newMetadata returns the metadata of an audience's table without rows, with more properties.
func newMetadata(name string, schema *iceberg.Schema, location string, more iceberg.Properties) (table.Metadata, error) {
	props := audienceProperties(name)
	maps.Copy(props, more)
	maps.Copy(props, iceberg.Properties{
		table.PropertyFormatVersion:               "2",
		table.MetadataDeleteAfterCommitEnabledKey: "true",
		table.MetadataPreviousVersionsMaxKey:      previousMetadata,
	})
	var err error
	if props[table.DefaultNameMappingKey], err = mappingOf(schema); err != nil {
		return nil, err
	}
	if props[propSchema], err = textOf(schema); err != nil {
		return nil, err
	}
	order, err := orderByKey(schema.IdentifierFieldIDs[0])
	if err != nil {
		return nil, err
	}
	// The metadata must have the order that says "unsorted", too: Spark names it for files in another order than the
	// table's.
	unsorted, err := table.NewMetadata(schema, nil, table.UnsortedSortOrder, location, props)
	if err != nil {
		return nil, err
	}
	return table.UpdateTableMetadata(unsorted, []table.Update{table.NewAddSortOrderUpdate(&order), table.NewSetDefaultSortOrderUpdate(-1)}, "")
}
