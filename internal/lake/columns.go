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
	first *iceberg.Schema // the schema with which the table was created
	own   *arrow.Schema   // the audience's fields and the system columns, with the names and types that Roster gave them
	all   *arrow.Schema   // own, then the columns that other programs added
	// written and stored have the columns of all as new data files have them: with the types to which another program
	// changed them. The table's schema may have other names for them.
	written *iceberg.Schema
	stored  *arrow.Schema
	byName  map[string]int // field ids by name, for files without field ids
	// former contains, for a column that another program dropped and added again, the field id in older files by the new
	// field id.
	former map[int]int
	order  int // id of the sort order of Roster's data files; 0 if the metadata do not have it
}

// fieldID is the metadata key of the field id of an Arrow field.
const fieldID = "PARQUET:field_id"

// columnsOf returns the columns of a table.
func columnsOf(meta table.Metadata) (*columns, error) {
	first, err := firstSchema(meta)
	if err != nil {
		return nil, err
	}
	c := &columns{first: first, former: map[int]int{}}
	fields, now := slices.Clone(first.Fields()), meta.CurrentSchema()
	stored := slices.Clone(fields)
	for i, f := range fields {
		is, ok := now.FindFieldByID(f.ID)
		if !ok {
			// Another program dropped the column, and may have added it again.
			if is, ok = now.FindFieldByName(f.Name); !ok || together(meta, f.ID, is.ID) {
				continue
			}
			fields[i].ID, stored[i].ID, c.former[is.ID] = is.ID, is.ID, f.ID
		}
		stored[i].Type = storedType(f, is.Type)
	}
	for _, f := range now.Fields() {
		if slices.ContainsFunc(fields, func(o iceberg.NestedField) bool { return o.ID == f.ID }) {
			continue
		}
		if slices.ContainsFunc(fields, func(o iceberg.NestedField) bool { return o.Name == f.Name }) {
			f.Name = fmt.Sprintf("%s (field %d)", f.Name, f.ID) // Roster has its own column with this name
		}
		if f.InitialDefault != nil {
			return nil, audience.Errorf(audience.Impossible, "the column %q, which another program added to the audience's table, has a default for rows that are older than the column; Roster cannot carry that along: drop the column", f.Name)
		}
		f.Required = false // older files have no value
		fields, stored = append(fields, f), append(stored, f)
	}
	c.written = iceberg.NewSchema(0, stored...)
	c.all, err = table.SchemaToArrowSchema(iceberg.NewSchema(0, fields...), nil, true, false)
	if err == nil {
		c.stored, err = table.SchemaToArrowSchema(c.written, nil, true, false)
	}
	if err != nil {
		return nil, fmt.Errorf("another program added a column that Roster cannot carry along: %w", err)
	}
	c.stored = withPlainInts(c.stored)
	c.own = arrow.NewSchema(c.all.Fields()[:len(first.Fields())], nil)
	if key, ok := c.written.FindFieldByName(ColID); ok {
		c.order = sortOrderID(meta, key.ID)
	}
	c.byName, err = nameMapping(meta, fields)
	return c, err
}

// together reports whether a schema of the table has both fields.
func together(meta table.Metadata, a, b int) bool {
	return slices.ContainsFunc(meta.Schemas(), func(s *iceberg.Schema) bool {
		_, first := s.FindFieldByID(a)
		_, second := s.FindFieldByID(b)
		return first && second
	})
}

// propSchema is the table property that contains the schema with which the table was created. Other programs may remove
// schemas that no snapshot uses.
const propSchema = "roster.schema"

// firstSchema returns the schema with which the table was created.
func firstSchema(meta table.Metadata) (*iceberg.Schema, error) {
	for _, s := range meta.Schemas() {
		if s.ID == 0 {
			return s, nil
		}
	}
	if text := meta.Properties()[propSchema]; text != "" {
		s := &iceberg.Schema{}
		if err := json.Unmarshal([]byte(text), s); err != nil {
			return nil, fmt.Errorf("read the table's property %s: %w", propSchema, err)
		}
		return s, nil
	}
	// An earlier version of Roster created the table. Fields that another program added have higher ids than those of
	// Roster.
	now := meta.CurrentSchema()
	last, ok := now.FindFieldByName(ColLine)
	if !ok {
		return nil, errFirstSchema
	}
	fields := slices.DeleteFunc(slices.Clone(now.Fields()), func(f iceberg.NestedField) bool { return f.ID > last.ID })
	if len(fields) != last.ID {
		return nil, errFirstSchema
	}
	slices.SortFunc(fields, func(a, b iceberg.NestedField) int { return a.ID - b.ID })
	return iceberg.NewSchema(0, fields...), nil
}

var errFirstSchema = audience.Errorf(audience.Impossible, "another program renamed or dropped columns of the audience's table and removed the table's first schema, "+
	"and an earlier version of Roster created the table; restore the table's metadata from a backup")

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

// in finds the columns of a data file.
func (c *columns) in(s *schema.Schema) fileColumns {
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
			if id, ok := c.byName[f.Name()]; ok {
				ids[i] = id
			}
		}
	}
	for leaf := range s.NumColumns() {
		i := at[s.ColumnRoot(leaf).Name()]
		if ids[i] < 0 {
			continue
		}
		found := out[ids[i]]
		found.root = i
		found.leaves = append(found.leaves, leaf)
		out[ids[i]] = found
	}
	for id, was := range c.former {
		_, is := out[id]
		if older, ok := out[was]; ok && !is {
			out[id] = older
		}
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
		"a file of the audience's table has no column %s, which Roster needs: another program dropped it and rewrote the file; start a run, which adopts the change and writes the column again", name)
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
