package parquet

import (
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/parquet"

	"roster/internal/tabular"
)

// parquetKind is the kind of a column's values.
type parquetKind uint8

const (
	kindText parquetKind = iota
	kindBoolean
	kindWhole    // signed, of at most 64 bits
	kindUnsigned // unsigned, of 64 bits
	kindFloat    // of 32 bits or fewer
	kindDouble
	kindDecimal
	kindDate
	kindTime
	kindTimestamp
	kindUUID
	kindNull // the column has no values
)

// parquetType is the type of a column that is not nested.
type parquetType struct {
	kind     parquetKind
	physical parquet.Type
	length   int   // of values of a fixed length
	unsigned bool  // an unsigned whole number of 32 bits or fewer
	perUnit  int64 // nanoseconds per unit of times and timestamps
	utc      bool  // a timestamp is an instant, not a local time
	digits   int   // of a decimal
	scale    int   // of a decimal
}

// maxDecimal is the largest number of bytes of a decimal.
const maxDecimal = 32

// storage lists the physical types in which a kind may be stored.
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

// Numbers of logical types in the format.
const (
	logicalString    = 1
	logicalEnum      = 4
	logicalDecimal   = 5
	logicalDate      = 6
	logicalTime      = 7
	logicalTimestamp = 8
	logicalInteger   = 10
	logicalNull      = 11
	logicalJSON      = 12
	logicalBSON      = 13
	logicalUUID      = 14
	logicalFloat16   = 15
	logicalGeometry  = 17
	logicalGeography = 18
)

// converted are the older type annotations, by their number in the format.
var converted = []struct {
	name    string
	logical parquetLogical
}{
	0:  {"UTF8", parquetLogical{kind: logicalString}},
	4:  {"ENUM", parquetLogical{kind: logicalEnum}},
	5:  {"DECIMAL", parquetLogical{kind: logicalDecimal}},
	6:  {"DATE", parquetLogical{kind: logicalDate}},
	7:  {"TIME_MILLIS", parquetLogical{kind: logicalTime, perUnit: nanosPer(1)}},
	8:  {"TIME_MICROS", parquetLogical{kind: logicalTime, perUnit: nanosPer(2)}},
	9:  {"TIMESTAMP_MILLIS", parquetLogical{kind: logicalTimestamp, perUnit: nanosPer(1), utc: true}},
	10: {"TIMESTAMP_MICROS", parquetLogical{kind: logicalTimestamp, perUnit: nanosPer(2), utc: true}},
	11: {"UINT_8", parquetLogical{kind: logicalInteger}},
	12: {"UINT_16", parquetLogical{kind: logicalInteger}},
	13: {"UINT_32", parquetLogical{kind: logicalInteger}},
	14: {"UINT_64", parquetLogical{kind: logicalInteger}},
	15: {"INT_8", parquetLogical{kind: logicalInteger, signed: true}},
	16: {"INT_16", parquetLogical{kind: logicalInteger, signed: true}},
	17: {"INT_32", parquetLogical{kind: logicalInteger, signed: true}},
	18: {"INT_64", parquetLogical{kind: logicalInteger, signed: true}},
	19: {"JSON", parquetLogical{kind: logicalJSON}},
	20: {"BSON", parquetLogical{kind: logicalBSON}},
	21: {"INTERVAL", parquetLogical{kind: logicalInterval}},
}

// logicalInterval stands for the only converted type without a logical type.
const logicalInterval = -1

// logicalNames are the names of the logical types in errors.
var logicalNames = map[int16]string{
	logicalString: "STRING", logicalEnum: "ENUM", logicalDecimal: "DECIMAL", logicalDate: "DATE", logicalTime: "TIME", logicalTimestamp: "TIMESTAMP",
	logicalInteger: "INTEGER", logicalNull: "NULL", logicalJSON: "JSON", logicalBSON: "BSON", logicalUUID: "UUID", logicalFloat16: "FLOAT16",
	logicalGeometry: "GEOMETRY", logicalGeography: "GEOGRAPHY", logicalInterval: "INTERVAL",
}

// logicalOf returns the logical type of a column. It ignores an unknown one, as the format requires of readers.
func (e *parquetElement) logicalOf() parquetLogical {
	if _, known := logicalNames[e.logical.kind]; known {
		return e.logical
	}
	if e.converted < 0 || int(e.converted) >= len(converted) {
		return parquetLogical{}
	}
	l := converted[e.converted].logical
	l.digits, l.scale = e.digits, e.scale
	return l
}

// parquetTypeOf returns the type of a column that is not nested, or an error if its values have no representation as
// text.
func parquetTypeOf(e *parquetElement) (parquetType, error) {
	const mostDigits = 77 // that fit in maxDecimal bytes
	t := parquetType{physical: e.physical, length: int(e.length)}
	if e.physical < parquet.Types.Boolean || e.physical > parquet.Types.FixedLenByteArray {
		return t, fmt.Errorf("number %d, which the format does not have", e.physical)
	}
	if e.repetition < parquet.Repetitions.Required || e.repetition > parquet.Repetitions.Repeated {
		return t, fmt.Errorf("%s with the unknown repetition %d", e.physical, e.repetition)
	}
	if e.physical == parquet.Types.FixedLenByteArray && (e.length <= 0 || e.length > tabular.MaxRecord) {
		return t, fmt.Errorf("%s of %d bytes", e.physical, e.length)
	}
	l := e.logicalOf()
	switch l.kind {
	case logicalString, logicalEnum, logicalJSON:
		t.kind = kindText
	case logicalInteger:
		t.kind, t.unsigned = kindWhole, !l.signed
		if t.unsigned && t.physical == parquet.Types.Int64 {
			t.kind = kindUnsigned
		}
	case logicalDecimal:
		t.kind, t.digits, t.scale = kindDecimal, int(l.digits), int(l.scale)
		if t.scale < 0 || t.scale > t.digits || t.digits > mostDigits || t.physical == parquet.Types.FixedLenByteArray && e.length > maxDecimal {
			return t, fmt.Errorf("DECIMAL of %d digits, %d of them behind the point", t.digits, t.scale)
		}
	case logicalDate:
		t.kind = kindDate
	case logicalTime:
		t.kind, t.perUnit = kindTime, l.perUnit
	case logicalTimestamp:
		t.kind, t.perUnit, t.utc = kindTimestamp, l.perUnit, l.utc
	case logicalUUID:
		t.kind = kindUUID
	case logicalFloat16:
		t.kind = kindFloat
	case logicalNull:
		t.kind = kindNull
	case 0:
		length := t.length
		t = physicalType(t.physical)
		t.length = length
	default:
		return t, errors.New(logicalNames[l.kind])
	}
	if (t.kind == kindTime || t.kind == kindTimestamp) && t.perUnit == 0 {
		return t, fmt.Errorf("%s of an unknown unit", logicalNames[l.kind])
	}
	if in := storage[t.kind]; in != nil && !slices.Contains(in, t.physical) {
		return t, fmt.Errorf("%s in %s", logicalNames[l.kind], t.physical)
	}
	return t, nil
}

// bytes reports whether values are stored as bytes.
func (t parquetType) bytes() bool {
	return t.physical == parquet.Types.ByteArray || t.physical == parquet.Types.FixedLenByteArray
}

// least returns the smallest number of bytes of a plain value; 0 for booleans, which need less than one.
func (t parquetType) least() int64 {
	switch t.physical {
	case parquet.Types.Boolean:
		return 0
	case parquet.Types.Int64, parquet.Types.Double:
		return 8
	case parquet.Types.Int96:
		return 12
	case parquet.Types.FixedLenByteArray:
		return int64(t.length)
	}
	return 4
}

// physicalType returns the type of a column with known storage only.
func physicalType(p parquet.Type) parquetType {
	t := parquetType{physical: p}
	switch p {
	case parquet.Types.Boolean:
		t.kind = kindBoolean
	case parquet.Types.Int32, parquet.Types.Int64:
		t.kind = kindWhole
	case parquet.Types.Int96:
		t.kind, t.perUnit, t.utc = kindTimestamp, nanosPer(2), true
	case parquet.Types.Float:
		t.kind = kindFloat
	case parquet.Types.Double:
		t.kind = kindDouble
	}
	return t
}

// nanosPer returns the nanoseconds in a unit of time, by its number in the format; 0 if it is unknown.
func nanosPer(unit int16) int64 {
	switch unit {
	case 1:
		return 1e6
	case 2:
		return 1e3
	case 3:
		return 1
	}
	return 0
}
