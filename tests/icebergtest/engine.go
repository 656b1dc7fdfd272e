// Package icebergtest changes datasets as another program does: through the catalog and with iceberg-go, independently of
// Roster.
package icebergtest

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	icebergio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
)

// Engine is another program that changes one table. It implements table.CatalogIO on an SQLite catalog.
type Engine struct {
	T               *testing.T
	Catalog         *sql.DB
	Namespace, Name string // of the table
}

var _ table.CatalogIO = Engine{}

// LoadTable implements table.CatalogIO.
func (e Engine) LoadTable(ctx context.Context, ident table.Identifier) (*table.Table, error) {
	var place string
	row := e.Catalog.QueryRowContext(ctx, `SELECT metadata_location FROM iceberg_tables WHERE table_namespace = ? AND table_name = ?`, ident[0], ident[1])
	if err := row.Scan(&place); err != nil {
		return nil, err
	}
	return table.NewFromLocation(ctx, ident, place, icebergio.LoadFSFunc(nil, place), e)
}

// CommitTable implements table.CatalogIO.
func (e Engine) CommitTable(ctx context.Context, ident table.Identifier, _ []table.Requirement, updates []table.Update) (table.Metadata, string, error) {
	current, err := e.LoadTable(ctx, ident)
	if err != nil {
		return nil, "", err
	}
	next, err := table.UpdateTableMetadata(current.Metadata(), updates, current.MetadataLocation())
	if err != nil {
		return nil, "", err
	}
	text, err := json.Marshal(next)
	if err != nil {
		return nil, "", err
	}
	place := path.Dir(strings.TrimPrefix(current.MetadataLocation(), "file://")) + "/00099-" + uuid.NewString() + ".metadata.json"
	if err := os.WriteFile(place, text, 0o600); err != nil {
		return nil, "", err
	}
	_, err = e.Catalog.ExecContext(ctx, `UPDATE iceberg_tables SET metadata_location = ? WHERE table_namespace = ? AND table_name = ?`, "file://"+place, ident[0], ident[1])
	return next, "file://" + place, err
}

func (e Engine) must(err error) {
	e.T.Helper()
	if err != nil {
		e.T.Fatal(err)
	}
}

// Table loads the table.
func (e Engine) Table() *table.Table {
	e.T.Helper()
	t, err := e.LoadTable(e.T.Context(), table.Identifier{e.Namespace, e.Name})
	e.must(err)
	return t
}

// Rewrite replaces all rows of the table with the result of change, in one snapshot.
func (e Engine) Rewrite(change func(rows []map[string]any) []map[string]any) {
	e.T.Helper()
	ctx := e.T.Context()
	t := e.Table()
	found, err := t.Scan().ToArrowTable(ctx)
	e.must(err)
	defer found.Release()
	text := array.NewTableReader(found, 0)
	defer text.Release()
	var rows []map[string]any
	for text.Next() {
		list, err := text.RecordBatch().MarshalJSON()
		e.must(err)
		var part []map[string]any
		dec := json.NewDecoder(bytes.NewReader(list))
		dec.UseNumber()
		e.must(dec.Decode(&part))
		rows = append(rows, part...)
	}
	list, err := json.Marshal(change(rows))
	e.must(err)
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, found.Schema(), bytes.NewReader(list))
	e.must(err)
	defer rec.Release()
	rdr, err := array.NewRecordReader(found.Schema(), []arrow.RecordBatch{rec})
	e.must(err)
	defer rdr.Release()
	_, err = t.Overwrite(ctx, rdr, iceberg.Properties{"engine-name": "other", "engine-version": "1"})
	e.must(err)
}

// Rollback makes an earlier snapshot current.
func (e Engine) Rollback(id int64) {
	e.T.Helper()
	e.Update(table.NewSetSnapshotRefUpdate(table.MainBranch, id, table.BranchRef, 0, 0, 0))
}

// Update changes the metadata of the table.
func (e Engine) Update(u table.Update) {
	e.T.Helper()
	_, _, err := e.CommitTable(e.T.Context(), e.Table().Identifier(), nil, []table.Update{u})
	e.must(err)
}

// Drop drops the table and leaves its files.
func (e Engine) Drop() {
	e.T.Helper()
	_, err := e.Catalog.ExecContext(e.T.Context(), `DELETE FROM iceberg_tables WHERE table_namespace = ? AND table_name = ?`, e.Namespace, e.Name)
	e.must(err)
}

// Changed returns a row with other values of some columns.
func Changed(row, values map[string]any) map[string]any {
	out := maps.Clone(row)
	maps.Copy(out, values)
	return out
}
