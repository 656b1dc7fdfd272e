package lake

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// Bounds returns the bounds of a data file's columns by field id, from the table's metadata.
func Bounds(f DataFile) (lower, upper map[int][]byte) {
	return f.file.LowerBoundValues(), f.file.UpperBoundValues()
}

// Table returns the iceberg-go object of a table.
func (l *Lake) Table(ctx context.Context, id TableID) (*table.Table, error) {
	return l.catalog.LoadTable(ctx, id.ident())
}

// Ahead adds a duration to all times of a table, as if a clock that is ahead had set them.
func (l *Lake) Ahead(ctx context.Context, id TableID, by time.Duration) error {
	t, err := l.Table(ctx, id)
	if err != nil {
		return err
	}
	return l.retime(ctx, id, t, func(at int64) int64 { return at + by.Milliseconds() })
}

// Cool clears the cache of slices of Find.
func (l *Lake) Cool() { l.finder.slices.Clear() }

// EscapeLocation returns a data file with the location that earlier versions of Roster gave it.
func EscapeLocation(f DataFile) (DataFile, error) {
	escaped := (&url.URL{Scheme: "file", Path: strings.TrimPrefix(f.Path, localBase)}).String()
	b, err := iceberg.NewDataFileBuilder(*iceberg.UnpartitionedSpec, iceberg.EntryContentData, escaped, iceberg.ParquetFile, nil, nil, nil, f.Rows, f.Bytes)
	if err != nil {
		return f, err
	}
	return dataFileOf(b.SortOrderID(*f.file.SortOrderID()).LowerBoundValues(f.file.LowerBoundValues()).UpperBoundValues(f.file.UpperBoundValues()).Build()), nil
}

// SortOrderID returns the id of the order of a data file's rows, from the table's metadata.
func SortOrderID(f DataFile) *int { return f.file.SortOrderID() }

// Update changes the metadata of a table as another program does.
func (l *Lake) Update(ctx context.Context, t *table.Table, updates ...table.Update) error {
	_, _, err := l.catalog.CommitTable(ctx, t.Identifier(), nil, updates)
	return err
}

// Bare removes from the metadata of a table what earlier versions of Roster did not write.
func (l *Lake) Bare(ctx context.Context, id TableID) error {
	return l.edit(ctx, id, func(m map[string]any) {
		for _, s := range m["schemas"].([]any) {
			s.(map[string]any)["identifier-field-ids"] = []int{}
		}
		m["sort-orders"], m["default-sort-order-id"] = []any{map[string]any{"order-id": 0, "fields": []any{}}}, 0
		props := m["properties"].(map[string]any)
		for _, name := range []string{propAudience, propComment, propSchema, table.DefaultNameMappingKey} {
			delete(props, name)
		}
	})
}

// Replaced changes the metadata of a table as engines without a type of fixed size do that replace a table by one with
// the same columns, and then expire snapshots: keys are binary, and there is only one schema.
func (l *Lake) Replaced(ctx context.Context, id TableID) error {
	return l.edit(ctx, id, func(m map[string]any) {
		schemas := slices.DeleteFunc(m["schemas"].([]any), func(s any) bool { return s.(map[string]any)["schema-id"] != m["current-schema-id"] })
		m["schemas"] = schemas
		for _, f := range schemas[0].(map[string]any)["fields"].([]any) {
			if f := f.(map[string]any); f["name"] == ColID {
				f["type"] = "binary"
			}
		}
	})
}

// edit changes the metadata of a table.
func (l *Lake) edit(ctx context.Context, id TableID, change func(m map[string]any)) error {
	t, err := l.Table(ctx, id)
	if err != nil {
		return err
	}
	text, err := json.Marshal(t.Metadata())
	if err != nil {
		return err
	}
	var m map[string]any
	numbers := json.NewDecoder(bytes.NewReader(text))
	numbers.UseNumber()
	if err := numbers.Decode(&m); err != nil {
		return err
	}
	change(m)
	is, err := l.files.nextLocation(t.MetadataLocation())
	if err == nil {
		err = l.files.writeMetadata(is, m)
	}
	if err == nil {
		_, err = l.catalog.replace(ctx, id, t.MetadataLocation(), is)
	}
	return err
}
