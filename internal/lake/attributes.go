package lake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// The metadata of a table tells other engines what Roster knows about it: the column that identifies a row, the order of
// the data files, the ids of columns in files without ids, and the audience.

// Properties of a table that name its audience. Engines show a comment.
const (
	propAudience = "roster.audience"
	propComment  = "comment"
)

func audienceProperties(name string) iceberg.Properties {
	return iceberg.Properties{propAudience: name, propComment: "Members of the audience " + name}
}

// ofKey returns the column of the members' keys, if the schema has it as Roster created it.
func ofKey(schema *iceberg.Schema, id int) (iceberg.NestedField, bool) {
	f, ok := schema.FindFieldByID(id)
	return f, ok && f.Required
}

// orderByKey returns the order of the rows in Roster's data files.
func orderByKey(key int) (table.SortOrder, error) {
	return table.NewSortOrder(table.InitialSortOrderID, []table.SortField{{
		SourceIDs: []int{key}, Transform: iceberg.IdentityTransform{}, Direction: table.SortASC, NullOrder: table.NullsFirst,
	}})
}

// sortOrderID returns the id of the order of Roster's data files in the metadata; 0 if the metadata do not have the
// order.
func sortOrderID(meta table.Metadata, key int) int {
	for _, o := range meta.SortOrders() {
		if o.Len() != 1 {
			continue
		}
		if f := o.Field(0); slices.Equal(f.SourceIDs, []int{key}) && f.Transform == (iceberg.IdentityTransform{}) && f.Direction == table.SortASC {
			return o.OrderID()
		}
	}
	return 0
}

// Describe brings the table's metadata up to date: the audience's current name, and what earlier versions of Roster did
// not write. What another program has set stays. If the table changes at the same time, the error is ErrConflict.
func (l *Lake) Describe(ctx context.Context, id TableID, name string) error {
	d, err := l.Load(ctx, id)
	if err != nil {
		return err
	}
	updates, err := d.attributes(name)
	if err != nil || len(updates) == 0 {
		return err
	}
	_, err = d.update(ctx, nil, updates)
	if errors.Is(err, table.ErrCommitFailed) {
		err = fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return err
}

// attributes returns the updates of Describe.
func (d *Dataset) attributes(name string) (updates []table.Update, err error) {
	meta := d.table.Metadata()
	key, _ := d.columns.written.FindFieldByName(ColID)
	if _, ok := ofKey(meta.CurrentSchema(), key.ID); ok {
		if now := meta.CurrentSchema(); len(now.IdentifierFieldIDs) == 0 {
			updates = append(updates, table.NewAddSchemaUpdate(iceberg.NewSchemaWithIdentifiers(now.ID+1, []int{key.ID}, now.Fields()...)), table.NewSetCurrentSchemaUpdate(-1))
		}
		if meta.DefaultSortOrder() == table.UnsortedSortOrderID && sortOrderID(meta, key.ID) == 0 {
			order, err := orderByKey(key.ID)
			if err != nil {
				return nil, err
			}
			updates = append(updates, table.NewAddSortOrderUpdate(&order), table.NewSetDefaultSortOrderUpdate(-1))
		}
	}
	if plain := d.lake.files.locationOf(d.dir); meta.Location() != plain {
		updates = append(updates, table.NewSetLocationUpdate(plain))
	}
	props, now := audienceProperties(name), meta.Properties()
	if now[propAudience] == name {
		props = iceberg.Properties{}
	}
	if now[table.DefaultNameMappingKey] == "" {
		if props[table.DefaultNameMappingKey], err = mappingOf(meta.CurrentSchema()); err != nil {
			return nil, err
		}
	}
	if now[propSchema] == "" {
		if props[propSchema], err = textOf(d.columns.first); err != nil {
			return nil, err
		}
	}
	if len(props) > 0 {
		updates = append(updates, table.NewSetPropertiesUpdate(props))
	}
	return updates, nil
}

// mappingOf returns the name mapping of a schema, for files without field ids.
func mappingOf(schema *iceberg.Schema) (string, error) { return textOf(schema.NameMapping()) }

func textOf(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}
