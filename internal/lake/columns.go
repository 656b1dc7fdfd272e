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

// columns are the columns of a table. Roster made the table with its own columns, and knows them by their field ids: another
// program may rename them, drop them or add others, which is a new schema of the table.
type columns struct {
	own *arrow.Schema // the audience's fields and the system columns, by the names that Roster gave them
	all *arrow.Schema // own, then the columns that other programs added
	// written has the columns of all, for what is recorded of a file. The table's schema may name them otherwise.
	written *iceberg.Schema
	byName  map[string]int // the field ids of files that have none
}

// fieldID is the key of an Arrow field's id in its metadata.
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
			f.Name = fmt.Sprintf("%s (field %d)", f.Name, f.ID) // Roster has a column of this name
		}
		if f.InitialDefault != nil {
			return nil, audience.Errorf(audience.Impossible, "the column %q, which another program added to the audience's table, has a default for rows that are older than the column; Roster cannot carry that along: drop the column", f.Name)
		}
		f.Required = false // files of before have no value
		fields = append(fields, f)
	}
	c := &columns{written: iceberg.NewSchema(0, fields...)}
	if c.all, err = table.SchemaToArrowSchema(c.written, nil, true, false); err != nil {
		return nil, fmt.Errorf("another program added a column that Roster cannot carry along: %w", err)
	}
	c.own = arrow.NewSchema(c.all.Fields()[:len(first.Fields())], nil)
	c.byName, err = nameMapping(meta, fields)
	return c, err
}

// firstSchema returns the schema that the table was made with.
func firstSchema(meta table.Metadata) (*iceberg.Schema, error) {
	for _, s := range meta.Schemas() {
		if s.ID == 0 {
			return s, nil
		}
	}
	// Another program has removed the schemas that no snapshot has. Fields that it added have ids beyond those of Roster.
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

// nameMapping returns the field ids of the names that columns have in files without ids: as the table's property says, else by
// the names of the columns.
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
	root   int   // which of the file's columns it is
	leaves []int // where its values are; several if it is nested
}

// fileColumnsOf finds the columns of a data file. byName has the ids for files without.
func fileColumnsOf(s *schema.Schema, byName map[string]int) fileColumns {
	root := s.Root()
	named := true // no column has an id
	for i := range root.NumFields() {
		named = named && root.Field(i).FieldID() < 0
	}
	at := map[string]int{} // the roots by name
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

// leaf returns where the values of a column that is not nested are in a file.
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

// missingColumn is the error of a system column that another program took away.
func missingColumn(name string) error {
	return audience.Errorf(audience.Impossible,
		"a file of the audience's table has no column %s, which Roster needs: another program dropped it and rewrote the table; roll the table back to a snapshot before that with the same program", name)
}

// field returns a column by the name that files of Roster have for it; one without a name if there is none.
func (c *columns) field(name string) arrow.Field {
	if found, ok := c.all.FieldsByName(name); ok {
		return found[0]
	}
	return arrow.Field{}
}

// added returns the columns that other programs added.
func (c *columns) added() []arrow.Field { return c.all.Fields()[c.own.NumFields():] }
