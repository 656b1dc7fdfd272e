package lake

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// TestEncodedValues encodes and decodes values of each type that a column of another program can have.
func TestEncodedValues(t *testing.T) {
	t.Parallel()
	text := arrow.BinaryTypes.String
	pair := arrow.StructOf(arrow.Field{Name: "k", Type: text, Nullable: true}, arrow.Field{Name: "v", Type: arrow.PrimitiveTypes.Int32, Nullable: true})
	for _, c := range []struct {
		kind   arrow.DataType
		values string
	}{
		{arrow.Null, `[null, null, null]`},
		{arrow.FixedWidthTypes.Boolean, `[true, null, false, true, null, true, false, false, true, true]`},
		{arrow.PrimitiveTypes.Int32, `[1, null, -2147483648]`},
		{arrow.PrimitiveTypes.Int64, `[1, null, -9007199254740993]`},
		{arrow.PrimitiveTypes.Float32, `[1.5, null, -0.25]`},
		{arrow.PrimitiveTypes.Float64, `[null, null, 1e300]`},
		{&arrow.Decimal128Type{Precision: 38, Scale: 2}, `["1.25", null, "-99999999999999999999.99"]`},
		{arrow.FixedWidthTypes.Date32, `["2026-11-30", null]`},
		{arrow.FixedWidthTypes.Time64us, `["12:34:56.789", null]`},
		{&arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, `["2026-11-30 12:00:00.000001Z", null]`},
		{text, `["", null, "a", "längere Texte"]`},
		{arrow.BinaryTypes.Binary, `["", null, "AAEC"]`},
		{&arrow.FixedSizeBinaryType{ByteWidth: 3}, `["AAEC", null]`},
		{extensions.NewUUIDType(), `["11111111-2222-3333-4444-555555555555", null]`},
		{pair, `[{"k": "a", "v": 1}, null, {"k": null, "v": 2}]`},
		{arrow.ListOf(text), `[["a", null], [], null, ["b"]]`},
		{arrow.ListOf(arrow.ListOf(pair)), `[[[{"k": "a", "v": 1}], null, []], null, [[{"k": "b", "v": null}, null]]]`},
		{arrow.MapOf(text, arrow.PrimitiveTypes.Int64), `[[{"key": "a", "value": 1}, {"key": "b", "value": null}], null, []]`},
	} {
		all, _, err := array.FromJSON(memory.DefaultAllocator, c.kind, strings.NewReader(c.values))
		if err != nil {
			t.Fatalf("%s: %v", c.kind, err)
		}
		for from := range all.Len() { // a slice begins within the arrays of its values
			want := array.NewSlice(all, int64(from), int64(all.Len()))
			var p []byte
			for i := range want.Len() {
				p = AppendEncoded(p, want, i)
			}
			col := newEncodedColumn(c.kind)
			for range want.Len() {
				p = col.append(p)
			}
			if got := col.array(); !array.Equal(got, want) || len(p) != 0 {
				t.Errorf("%s: %v became %v, and %d bytes are left", c.kind, want, got, len(p))
			}
		}
	}
}
