package lake

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet/schema"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"roster/internal/audience"
)

// columns describes the columns of a table. Roster created the table with its own columns and identifies them by their
// field ids, because another program may rename, drop or add columns, which gives the table a new schema.
type columns struct {
	own *arrow.Schema // the audience's fields and the system columns, with the names that Roster gave them
	all *arrow.Schema // own, then the columns that other programs added
	// written has the columns of all, for the metadata of data files. The table's schema may have other names for them.
	written *iceberg.Schema
	byName  map[string]int // field ids by name, for files without field ids
	order   int            // id of the sort order of Roster's data files; 0 if the metadata do not have it
}

// fieldID is the metadata key of the field id of an Arrow field.
const fieldID = "PARQUET:field_id"

// columnsOf returns the columns of a table.
func columnsOf(meta table.Metadata) (*columns, error) {
	first, err := firstSchema(meta)
	if err != nil {
		return nil, err
	}
	fields := slices.Clone(first.Fields())
	for _, f := range meta.CurrentSchema().Fields() {
		if _, own := first.FindFieldByID(f.ID); own {
			continue
		}
		if slices.ContainsFunc(fields, func(o iceberg.NestedField) bool { return o.Name == f.Name }) {
			f.Name = fmt.Sprintf("%s (field %d)", f.Name, f.ID) // Roster has its own column with this name
		}
		if f.InitialDefault != nil {
			return nil, audience.Errorf(audience.Impossible, "the column %q, which another program added to the audience's table, has a default for rows that are older than the column; Roster cannot carry that along: drop the column", f.Name)
		}
		f.Required = false // older files have no value
		fields = append(fields, f)
	}
	c := &columns{written: iceberg.NewSchema(0, fields...)}
	if c.all, err = table.SchemaToArrowSchema(c.written, nil, true, false); err != nil {
		return nil, fmt.Errorf("another program added a column that Roster cannot carry along: %w", err)
	}
	c.own = arrow.NewSchema(c.all.Fields()[:len(first.Fields())], nil)
	if key, ok := first.FindFieldByName(ColID); ok {
		c.order = sortOrderID(meta, key.ID)
	}
	c.byName, err = nameMapping(meta, fields)
	return c, err
}

// firstSchema returns the schema with which the table was created.
func firstSchema(meta table.Metadata) (*iceberg.Schema, error) {
	for _, s := range meta.Schemas() {
		if s.ID == 0 {
			return s, nil
		}
	}
	// Another program has removed the schemas that no snapshot uses. Fields that it added have higher ids than those of
	// Roster.
	now := meta.CurrentSchema()
	last, ok := now.FindFieldByName(ColLine)
	if !ok {
		return nil, missingColumn(ColLine)
	}
	fields := slices.DeleteFunc(slices.Clone(now.Fields()), func(f iceberg.NestedField) bool { return f.ID > last.ID })
	if len(fields) != last.ID {
		return nil, audience.Errorf(audience.Impossible, "columns of the audience's table were dropped by another program, and the table's first schema was removed; restore the table's metadata from a backup")
	}
	slices.SortFunc(fields, func(a, b iceberg.NestedField) int { return a.ID - b.ID })
	return iceberg.NewSchema(0, fields...), nil
}

// nameMapping returns the field ids by column name, for files without field ids. They come from the table's property,
// or else from the names of the columns.
func nameMapping(meta table.Metadata, fields []iceberg.NestedField) (map[string]int, error) {
	ids := map[string]int{}
	text, ok := meta.Properties()[table.DefaultNameMappingKey]
	if !ok {
		for _, f := range fields {
			ids[f.Name] = f.ID
		}
		return ids, nil
	}
	var mapping []struct {
		ID    *int     `json:"field-id"`
		Names []string `json:"names"`
	}
	if err := json.Unmarshal([]byte(text), &mapping); err != nil {
		return nil, fmt.Errorf("read the table's property %s: %w", table.DefaultNameMappingKey, err)
	}
	for _, m := range mapping {
		for _, name := range m.Names {
			if m.ID != nil {
				ids[name] = *m.ID
			}
		}
	}
	return ids, nil
}

// idOfField returns the field id of a column.
func idOfField(f arrow.Field) int {
	text, _ := f.Metadata.GetValue(fieldID)
	id, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return id
}

// fileColumns are the columns of a data file by their field ids.
type fileColumns map[int]fileColumn

// fileColumn is a column of a data file.
type fileColumn struct {
	root   int   // index in the file's columns
	leaves []int // indexes of the file's leaf columns with the values; several for a nested column
}

// fileColumnsOf finds the columns of a data file. byName contains the ids for files without field ids.
func fileColumnsOf(s *schema.Schema, byName map[string]int) fileColumns {
	root := s.Root()
	named := true // true while no column has an id
	for i := range root.NumFields() {
		named = named && root.Field(i).FieldID() < 0
	}
	at := map[string]int{} // index of each root by its name
	out, ids := fileColumns{}, make([]int, root.NumFields())
	for i := range root.NumFields() {
		f := root.Field(i)
		at[f.Name()] = i
		ids[i] = int(f.FieldID())
		if named {
			ids[i] = -1
			if id, ok := byName[f.Name()]; ok {
				ids[i] = id
			}
		}
	}
	for leaf := range s.NumColumns() {
		i := at[s.ColumnRoot(leaf).Name()]
		if ids[i] < 0 {
			continue
		}
		c := out[ids[i]]
		c.root = i
		c.leaves = append(c.leaves, leaf)
		out[ids[i]] = c
	}
	return out
}

// leaf returns the index of the file's leaf column for a column that is not nested.
func (c fileColumns) leaf(f arrow.Field) (int, error) {
	found, ok := c[idOfField(f)]
	switch {
	case !ok:
		return 0, missingColumn(f.Name)
	case len(found.leaves) != 1:
		return 0, errors.New("its column " + f.Name + " is nested")
	}
	return found.leaves[0], nil
}

// missingColumn returns the error for a system column that another program removed.
func missingColumn(name string) error {
	return audience.Errorf(audience.Impossible,
		"a file of the audience's table has no column %s, which Roster needs: another program dropped it and rewrote the table; roll the table back to a snapshot before that with the same program", name)
}

// field returns the column with the name that Roster's files use. If there is none, the result has no name.
func (c *columns) field(name string) arrow.Field {
	if found, ok := c.all.FieldsByName(name); ok {
		return found[0]
	}
	return arrow.Field{}
}

// added returns the columns that other programs added.
func (c *columns) added() []arrow.Field { return c.all.Fields()[c.own.NumFields():] }
