package metamorphic

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"roster/internal/audience"
)

func parquetLayout() layout { return layout{name: "parquet", writers: []writer{writeParquet}} }

// physical are the Parquet types that may hold the values of a field.
var physical = map[audience.Type][]arrow.DataType{
	audience.String:   {arrow.BinaryTypes.String, arrow.BinaryTypes.LargeString, arrow.BinaryTypes.Binary},
	audience.Integer:  {arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64, arrow.BinaryTypes.String, arrow.PrimitiveTypes.Float64},
	audience.Long:     {arrow.PrimitiveTypes.Int64, arrow.BinaryTypes.String, &arrow.Decimal128Type{Precision: 21, Scale: 2}},
	audience.Number:   {arrow.PrimitiveTypes.Float64, arrow.BinaryTypes.String},
	audience.Date:     {arrow.FixedWidthTypes.Date32, arrow.FixedWidthTypes.Date64, arrow.FixedWidthTypes.Timestamp_ms, arrow.BinaryTypes.String},
	audience.DateTime: {arrow.FixedWidthTypes.Timestamp_us, &arrow.TimestampType{Unit: arrow.Microsecond}, arrow.FixedWidthTypes.Timestamp_ns, arrow.BinaryTypes.String},
	audience.Boolean:  {arrow.FixedWidthTypes.Boolean, arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int32},
}

var codecs = []compress.Compression{compress.Codecs.Uncompressed, compress.Codecs.Snappy, compress.Codecs.Gzip, compress.Codecs.Zstd, compress.Codecs.Brotli, compress.Codecs.Lz4Raw}

// writeParquet writes rows as Parquet. Details without meaning are random: the order of columns, extra columns, their
// types, and the layout of the file.
func writeParquet(rnd *rand.Rand, rows []row) []byte {
	var columns []arrow.Field
	var values []arrow.Array
	for _, i := range rnd.Perm(len(fields) + 1) {
		t := arrow.DataType(arrow.ListOf(arrow.PrimitiveTypes.Int32))
		if i < len(fields) {
			kinds := physical[fields[i].Type]
			t = kinds[rnd.IntN(len(kinds))]
		}
		columns = append(columns, arrow.Field{Name: columnName(rnd, i), Type: t, Nullable: true})
		b := array.NewBuilder(memory.DefaultAllocator, t)
		for _, r := range rows {
			if i == len(fields) {
				b.AppendNull()
			} else {
				appendParquet(rnd, b, r[i])
			}
		}
		values = append(values, b.NewArray())
	}
	schema := arrow.NewSchema(columns, nil)
	return parquetFile(rnd, schema, array.NewRecordBatch(schema, values, int64(len(rows))))
}

func parquetFile(rnd *rand.Rand, schema *arrow.Schema, rec arrow.RecordBatch) []byte {
	var out bytes.Buffer
	codec, version := codecs[rnd.IntN(len(codecs))], []parquet.DataPageVersion{parquet.DataPageV1, parquet.DataPageV2}[rnd.IntN(2)]
	if codec == compress.Codecs.Brotli {
		version = parquet.DataPageV1 // the library cannot read its own version 2 pages without a value
	}
	props := parquet.NewWriterProperties(
		parquet.WithCompression(codec), parquet.WithDataPageVersion(version),
		parquet.WithDictionaryDefault(rnd.IntN(2) == 0),
		parquet.WithDataPageSize([]int64{1 << 10, 1 << 20}[rnd.IntN(2)]),
		parquet.WithMaxRowGroupLength([]int64{100, 1 << 20}[rnd.IntN(2)]),
		parquet.WithStats(rnd.IntN(2) == 0),
	)
	w, err := pqarrow.NewFileWriter(schema, &out, props, pqarrow.NewArrowWriterProperties(pqarrow.WithDeprecatedInt96Timestamps(rnd.IntN(3) == 0)))
	if err != nil {
		panic(err)
	}
	if err := w.WriteBuffered(rec); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// appendParquet appends a value to a column of one of its physical types.
func appendParquet(rnd *rand.Rand, b array.Builder, v any) {
	if v == nil && (rnd.IntN(2) == 0 || !isText(b)) {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(textOf(rnd, v))
	case *array.LargeStringBuilder:
		b.Append(textOf(rnd, v))
	case *array.BinaryBuilder:
		b.Append([]byte(textOf(rnd, v)))
	case *array.Int32Builder:
		b.Append(int32(numberOf(v)))
	case *array.Int64Builder:
		b.Append(numberOf(v))
	case *array.Decimal128Builder:
		b.Append(decimal128.FromI64(numberOf(v)).Mul(decimal128.FromI64(100)))
	case *array.Float64Builder:
		if f, ok := v.(float64); ok {
			b.Append(f)
		} else {
			b.Append(float64(numberOf(v)))
		}
	case *array.BooleanBuilder:
		b.Append(v.(bool))
	case *array.Date32Builder:
		b.Append(arrow.Date32(v.(day)))
	case *array.Date64Builder:
		b.Append(arrow.Date64(int64(v.(day)) * 86_400_000))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(ticksOf(v, b.Type().(*arrow.TimestampType).Unit)))
	}
}

func isText(b array.Builder) bool {
	return arrow.IsBinaryLike(b.Type().ID()) || arrow.IsLargeBinaryLike(b.Type().ID())
}

func textOf(rnd *rand.Rand, v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return spellNumber(rnd, v)
	case bool:
		return spellBoolean(rnd, v)
	case time.Time:
		return spellTime(rnd, v)
	}
	return v.(day).String()
}

func numberOf(v any) int64 {
	switch v := v.(type) {
	case bool:
		if v {
			return 1
		}
		return 0
	case int64:
		return v
	}
	return 0
}

// ticksOf returns a date or an instant in units since 1970.
func ticksOf(v any, unit arrow.TimeUnit) int64 {
	t, ok := v.(time.Time)
	if !ok {
		t = time.Unix(int64(v.(day))*86400, 0)
	}
	switch unit {
	case arrow.Millisecond:
		return t.UnixMilli()
	case arrow.Microsecond:
		return t.UnixMicro()
	}
	return t.UnixNano()
}
