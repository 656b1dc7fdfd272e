package formats

import (
	"context"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/tabulartest"
)

// readFile reads a file of any type.
func readFile(f tabular.File, columns []tabular.Column, opts tabular.Options) tabulartest.Result {
	return tabulartest.Collect(func(emit tabular.Emit) (tabular.Header, error) {
		return Read(context.Background(), f, columns, opts, emit)
	})
}

// TestParquetTypes reads a column of each type into each type of an audience.
func TestParquetTypes(t *testing.T) {
	t.Parallel()
	const all = "string number long integer date datetime boolean"
	for _, c := range []struct {
		typ    arrow.DataType
		values string
		want   map[audience.Type]string
	}{
		{arrow.FixedWidthTypes.Boolean, `[true,false,null]`, map[audience.Type]string{
			"string": `"true" "false" (null)`, "boolean": "true false (null)", "long": "TYPE TYPE (null)", "number": "TYPE TYPE (null)"}},
		{arrow.PrimitiveTypes.Int8, `[-128,1,0]`, map[audience.Type]string{
			"string": `"-128" "1" "0"`, "number": "-128 1 0", "long": "-128 1 0", "integer": "-128 1 0", "date": "TYPE TYPE TYPE", "boolean": "TYPE true false"}},
		{arrow.PrimitiveTypes.Uint16, `[65535]`, map[audience.Type]string{"string": `"65535"`, "integer": "65535", "number": "65535"}},
		{arrow.PrimitiveTypes.Uint32, `[4294967295]`, map[audience.Type]string{"string": `"4294967295"`, "long": "4294967295", "integer": "RANGE"}},
		{arrow.PrimitiveTypes.Int64, `[9007199254740993,-2147483649,20250513]`, map[audience.Type]string{
			"string": `"9007199254740993" "-2147483649" "20250513"`, "number": "9.007199254740992e+15 -2.147483649e+09 2.0250513e+07",
			"long": "9007199254740993 -2147483649 20250513", "integer": "RANGE RANGE 20250513", "datetime": "TYPE TYPE TYPE"}},
		{arrow.PrimitiveTypes.Uint64, `[18446744073709551615,12]`, map[audience.Type]string{
			"string": `"18446744073709551615" "12"`, "number": "1.8446744073709552e+19 12", "long": "RANGE 12", "integer": "RANGE 12"}},
		{arrow.PrimitiveTypes.Float32, `[0.1,-2.0,16777216]`, map[audience.Type]string{
			"string": `"0.1" "-2" "16777216"`, "number": "0.10000000149011612 -2 1.6777216e+07", "long": "TYPE -2 16777216"}},
		{arrow.PrimitiveTypes.Float64, `[0.1,123.0,1e300,1e10,-1e-7]`, map[audience.Type]string{
			"string": `"0.1" "123" "1e+300" "10000000000" "-1e-07"`, "number": "0.1 123 1e+300 1e+10 -1e-07",
			"long": "TYPE 123 RANGE 10000000000 TYPE", "integer": "TYPE 123 RANGE RANGE TYPE", "date": "TYPE TYPE TYPE TYPE TYPE"}},
		{arrow.PrimitiveTypes.Float64, `[4611686018427387904,-9223372036854775808,9223372036854775808,9007199254740993,-2147483648,2147483648]`, map[audience.Type]string{
			"long": "4611686018427387904 -9223372036854775808 RANGE 9007199254740992 -2147483648 2147483648", "integer": "RANGE RANGE RANGE RANGE -2147483648 RANGE"}},
		{arrow.PrimitiveTypes.Float32, `[123456789,0.5]`, map[audience.Type]string{"long": "123456792 TYPE", "integer": "123456792 TYPE"}},
		{&arrow.Decimal128Type{Precision: 9, Scale: 2}, `["12.50","-0.05","1234567.00",null]`, map[audience.Type]string{
			"string": `"12.5" "-0.05" "1234567" (null)`, "number": "12.5 -0.05 1.234567e+06 (null)", "long": "TYPE TYPE 1234567 (null)"}},
		{&arrow.Decimal128Type{Precision: 38, Scale: 10}, `["12345678901234567890.1","-1.0000000001","7"]`, map[audience.Type]string{
			"string": `"12345678901234567890.1" "-1.0000000001" "7"`, "long": "TYPE TYPE 7"}},
		{&arrow.Decimal128Type{Precision: 20, Scale: 0}, `["18446744073709551616","-5"]`, map[audience.Type]string{
			"string": `"18446744073709551616" "-5"`, "long": "RANGE -5"}},
		{&arrow.Decimal256Type{Precision: 76, Scale: 1}, `["-123456789012345678901234567890123456789012345.5"]`, map[audience.Type]string{
			"string": `"-123456789012345678901234567890123456789012345.5"`}},
		{arrow.FixedWidthTypes.Date32, `["2025-05-13","0001-01-01"]`, map[audience.Type]string{
			"string": `"2025-05-13" "0001-01-01"`, "date": "2025-05-13 0001-01-01", "datetime": "2025-05-13T00:00:00Z 0001-01-01T00:00:00Z", "long": "TYPE TYPE"}},
		{arrow.FixedWidthTypes.Date64, `["2025-05-13"]`, map[audience.Type]string{"string": `"2025-05-13"`, "date": "2025-05-13"}},
		{arrow.FixedWidthTypes.Time32ms, `["10:20:30.5"]`, map[audience.Type]string{"string": `"10:20:30.5"`, "datetime": "TYPE"}},
		{arrow.FixedWidthTypes.Time64ns, `["10:20:30.000000001","00:00:00"]`, map[audience.Type]string{"string": `"10:20:30.000000001" "00:00:00"`}},
		{arrow.FixedWidthTypes.Timestamp_us, `["2025-05-23T20:19:00.123456Z","1969-12-31T00:00:00Z"]`, map[audience.Type]string{
			"string": `"2025-05-23T20:19:00.123456Z" "1969-12-31T00:00:00Z"`, "datetime": "2025-05-23T20:19:00.123456Z 1969-12-31T00:00:00Z", "date": "TYPE 1969-12-31"}},
		{&arrow.TimestampType{Unit: arrow.Millisecond}, `["2025-05-23T20:19:00.5"]`, map[audience.Type]string{
			"string": `"2025-05-23T20:19:00.5"`, "datetime": "2025-05-23T20:19:00.5Z"}},
		{&arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "Europe/Berlin"}, `["1969-12-31T23:59:59.999999999Z","2025-05-13T00:00:00Z"]`, map[audience.Type]string{
			"string": `"1969-12-31T23:59:59.999999999Z" "2025-05-13T00:00:00Z"`, "datetime": "1969-12-31T23:59:59.999999Z 2025-05-13T00:00:00Z", "date": "TYPE 2025-05-13"}},
		{arrow.BinaryTypes.String, `["12"," 12 ","1.0","2025-05-13","yes","",null," "]`, map[audience.Type]string{
			"string": `"12" " 12 " "1.0" "2025-05-13" "yes" (null) (null) " "`, "long": "12 12 TYPE TYPE TYPE (null) (null) (null)",
			"number": "12 12 1 TYPE TYPE (null) (null) (null)", "date": "TYPE TYPE TYPE 2025-05-13 TYPE (null) (null) (null)",
			"datetime": "TYPE TYPE TYPE 2025-05-13T00:00:00Z TYPE (null) (null) (null)", "boolean": "TYPE TYPE TYPE TYPE true (null) (null) (null)"}},
		{arrow.BinaryTypes.LargeString, `["Ünï"]`, map[audience.Type]string{"string": `"Ünï"`}},
		{arrow.BinaryTypes.Binary, `["/w==","YQ=="]`, map[audience.Type]string{"string": `ENCODING "a"`, "long": "TYPE TYPE"}},
		{&arrow.FixedSizeBinaryType{ByteWidth: 2}, `["YWI="]`, map[audience.Type]string{"string": `"ab"`}},
		{arrow.Null, `[null,null]`, map[audience.Type]string{"string": "(null) (null)", "long": "(null) (null)"}},
		{&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}, `["a","b","a",null]`, map[audience.Type]string{"string": `"a" "b" "a" (null)`}},
	} {
		rec := tabulartest.Column(t, c.typ, c.values)
		for _, b := range [][]byte{
			tabulartest.ParquetOf(t, rec, 1<<20),
			tabulartest.ParquetOf(t, rec, 1, parquet.WithDataPageVersion(parquet.DataPageV2), parquet.WithDictionaryDefault(false), parquet.WithCompression(compress.Codecs.Snappy)),
		} {
			for _, typ := range strings.Fields(all) {
				got := readFile(tabulartest.Stored(b), []tabular.Column{{Name: " V", Type: audience.Type(typ)}}, tabular.Options{Workers: 2})
				if want := c.want[audience.Type(typ)]; want != "" && got.Values() != want {
					t.Errorf("%s as %s: %s %s, want %s", c.typ, typ, got.Values(), got.Message, want)
				}
				if got.Err == "" && got.Bytes != int64(len(b)) {
					t.Errorf("%s: the batches stand for %d bytes of %d", c.typ, got.Bytes, len(b))
				}
			}
		}
	}
}
