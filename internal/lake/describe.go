package lake

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"github.com/apache/iceberg-go/table"
)

// Metadata returns Iceberg's metadata of the table as JSON, without the columns that have, or once had, one of the
// hidden names. A column keeps its id when another engine renames it, so all columns with that id are removed.
func (d *Dataset) Metadata(hidden []string) ([]byte, error) {
	text, err := json.Marshal(d.table.Metadata())
	if err != nil || len(hidden) == 0 {
		return text, err
	}
	ids := map[int]bool{}
	for _, s := range d.table.Metadata().Schemas() {
		for _, f := range s.Fields() {
			if slices.Contains(hidden, f.Name) {
				ids[f.ID] = true
			}
		}
	}
	numbers := json.NewDecoder(bytes.NewReader(text))
	numbers.UseNumber() // snapshot ids have more digits than a float64
	var m map[string]any
	if err := numbers.Decode(&m); err != nil {
		return nil, err
	}
	// without removes those entries of the list "fields" whose property names a hidden column.
	without := func(in any, property string) (left []any, hides bool) {
		fields := in.(map[string]any)["fields"].([]any)
		left = slices.DeleteFunc(slices.Clone(fields), func(f any) bool { return ids[number(f.(map[string]any)[property])] })
		return left, len(left) < len(fields)
	}
	for _, s := range m["schemas"].([]any) {
		s := s.(map[string]any)
		s["fields"], _ = without(s, "id")
		if identifiers, ok := s["identifier-field-ids"].([]any); ok {
			s["identifier-field-ids"] = slices.DeleteFunc(identifiers, func(id any) bool { return ids[number(id)] })
		}
	}
	for _, spec := range m["partition-specs"].([]any) {
		if _, hides := without(spec, "source-id"); hides {
			return nil, errors.New("another engine has partitioned the table by a column that the caller may not see")
		}
	}
	for _, order := range m["sort-orders"].([]any) {
		if _, hides := without(order, "source-id"); hides {
			m["sort-orders"], m["default-sort-order-id"] = []any{map[string]any{"order-id": 0, "fields": []any{}}}, 0
			break
		}
	}
	if p, ok := m["properties"].(map[string]any); ok {
		delete(p, table.DefaultNameMappingKey) // contains the names of columns
		delete(p, propSchema)                  // as well
	}
	delete(m, "statistics") // describes columns
	return json.Marshal(m)
}

// number converts a JSON number to an integer; 0 for any other value.
func number(v any) int {
	n, _ := v.(json.Number)
	i, _ := n.Int64()
	return int(i)
}
