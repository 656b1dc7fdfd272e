package lake

import (
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// TestConformed reads values of nested columns after another program changed their types.
func TestConformed(t *testing.T) {
	t.Parallel()
	field := func(id int, name string, kind arrow.DataType) arrow.Field {
		f := arrow.Field{Name: name, Type: kind, Nullable: true}
		if id > 0 {
			f.Metadata = arrow.NewMetadata([]string{fieldID}, []string{strconv.Itoa(id)})
		}
		return f
	}
	text, short, long := arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64
	was := arrow.StructOf(field(1, "a", short), field(2, "b", text), field(3, "gone", text))
	is := arrow.StructOf(field(4, "b", text), field(2, "renamed", text), field(1, "a", long))
	for name, c := range map[string]struct {
		from, to arrow.DataType
		values   string
		want     string
	}{
		"promoted":           {short, long, `[1, null]`, `[1, null]`},
		"a struct":           {was, is, `[{"a": 1, "b": "x", "gone": "y"}, null, {"b": "z"}]`, `[{"b": null, "renamed": "x", "a": 1}, null, {"b": null, "renamed": "z", "a": null}]`},
		"without ids":        {arrow.StructOf(field(0, "a", short)), is, `[{"a": 1}, null]`, `[{"b": null, "renamed": null, "a": 1}, null]`},
		"a list of structs":  {arrow.ListOf(was), arrow.ListOfField(field(9, "other", is)), `[[{"a": 1}, null], [], null]`, `[[{"b": null, "renamed": null, "a": 1}, null], [], null]`},
		"a map":              {arrow.MapOf(text, was), arrow.MapOf(text, is), `[[{"key": "k", "value": {"a": 1}}], null]`, `[[{"key": "k", "value": {"b": null, "renamed": null, "a": 1}}], null]`},
		"a map of promotion": {arrow.MapOf(text, arrow.ListOf(short)), arrow.MapOf(text, arrow.ListOf(long)), `[[{"key": "k", "value": [1, null]}], null]`, `[[{"key": "k", "value": [1, null]}], null]`},
	} {
		of := func(kind arrow.DataType, text string) arrow.Array {
			a, _, err := array.FromJSON(memory.DefaultAllocator, kind, strings.NewReader(text))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return a
		}
		all, want := of(c.from, c.values), of(c.to, c.want)
		for from := range all.Len() {
			got, err := conformed(t.Context(), array.NewSlice(all, int64(from), int64(all.Len())), c.to)
			if err != nil || !array.Equal(got, array.NewSlice(want, int64(from), int64(want.Len()))) || !arrow.TypeEqual(got.DataType(), c.to) {
				t.Errorf("%s, from value %d on: %v %v", name, from, got, err)
			}
		}
	}
	texts, _, err := array.FromJSON(memory.DefaultAllocator, text, strings.NewReader(`["x"]`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conformed(t.Context(), texts, is); err == nil {
		t.Error("a column of another type was accepted")
	}
}
