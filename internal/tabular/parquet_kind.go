package tabular

import (
	"fmt"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// parquetKind is what the values of a column are.
type parquetKind uint8

const (
	kindText parquetKind = iota
	kindBoolean
	kindWhole    // of at most 64 bits with a sign
	kindUnsigned // of 64 bits
	kindFloat    // of 32 bits or fewer
	kindDouble
	kindDecimal
	kindDate
	kindTime
	kindTimestamp
	kindUUID
	kindNull // no value at all
)

// parquetType is the type of a column that is not nested.
type parquetType struct {
	kind     parquetKind
	physical parquet.Type
	unsigned bool  // a whole number of 32 bits or fewer has no sign
	perUnit  int64 // nanoseconds, of times and timestamps
	utc      bool  // a timestamp is an instant, and not the time of some clock
	digits   int   // of a decimal
	scale    int   // of a decimal
}

// maxDecimal is how many bytes a decimal may have.
const maxDecimal = 32

// storage says in which physical types a kind may lie.
var storage = map[parquetKind][]parquet.Type{
	kindWhole:     {parquet.Types.Int32, parquet.Types.Int64},
	kindUnsigned:  {parquet.Types.Int64},
	kindDecimal:   {parquet.Types.Int32, parquet.Types.Int64, parquet.Types.FixedLenByteArray, parquet.Types.ByteArray},
	kindDate:      {parquet.Types.Int32},
	kindTime:      {parquet.Types.Int32, parquet.Types.Int64},
	kindTimestamp: {parquet.Types.Int64, parquet.Types.Int96},
	kindUUID:      {parquet.Types.FixedLenByteArray},
	kindFloat:     {parquet.Types.Float, parquet.Types.FixedLenByteArray},
	kindText:      {parquet.Types.ByteArray, parquet.Types.FixedLenByteArray},
}

// parquetTypeOf returns the type of a column; an error when its values have no text.
func parquetTypeOf(c *schema.Column) (parquetType, error) {
	t := parquetType{physical: c.PhysicalType()}
	switch l := c.LogicalType().(type) {
	case schema.StringLogicalType, schema.EnumLogicalType, schema.JSONLogicalType:
		t.kind = kindText
	case schema.IntLogicalType:
		t.kind, t.unsigned = kindWhole, !l.IsSigned()
		if t.unsigned && t.physical == parquet.Types.Int64 {
			t.kind = kindUnsigned
		}
	case schema.DecimalLogicalType:
		t.kind, t.digits, t.scale = kindDecimal, int(l.Precision()), int(l.Scale())
		if t.scale < 0 || t.scale > t.digits || t.physical == parquet.Types.FixedLenByteArray && c.TypeLength() > maxDecimal {
			return t, fmt.Errorf("%s", l)
		}
	case schema.DateLogicalType:
		t.kind = kindDate
	case schema.TimeLogicalType:
		t.kind, t.perUnit = kindTime, nanosPer(l.TimeUnit())
	case schema.TimestampLogicalType:
		t.kind, t.perUnit, t.utc = kindTimestamp, nanosPer(l.TimeUnit()), l.IsAdjustedToUTC()
	case schema.UUIDLogicalType:
		t.kind = kindUUID
	case schema.Float16LogicalType:
		t.kind = kindFloat
	case schema.NullLogicalType:
		t.kind = kindNull
	case nil, schema.NoLogicalType, schema.UnknownLogicalType:
		t = physicalType(t.physical)
	default:
		return t, fmt.Errorf("%s", l)
	}
	for _, p := range storage[t.kind] {
		if p == t.physical {
			return t, nil
		}
	}
	if storage[t.kind] != nil {
		return t, fmt.Errorf("%s in %s", c.LogicalType(), t.physical)
	}
	return t, nil
}

// physicalType returns the type of a column of which only the storage is known.
func physicalType(p parquet.Type) parquetType {
	t := parquetType{physical: p}
	switch p {
	case parquet.Types.Boolean:
		t.kind = kindBoolean
	case parquet.Types.Int32, parquet.Types.Int64:
		t.kind = kindWhole
	case parquet.Types.Int96:
		t.kind, t.perUnit, t.utc = kindTimestamp, nanosPer(schema.TimeUnitMicros), true
	case parquet.Types.Float:
		t.kind = kindFloat
	case parquet.Types.Double:
		t.kind = kindDouble
	}
	return t
}

// nanosPer returns the nanoseconds in a unit of time.
func nanosPer(unit schema.TimeUnitType) int64 {
	switch unit {
	case schema.TimeUnitMillis:
		return 1e6
	case schema.TimeUnitMicros:
		return 1e3
	}
	return 1
}
