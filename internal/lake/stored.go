package lake

import (
	"context"
	"reflect"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/arrow-go/v18/parquet/schema"
	"github.com/apache/iceberg-go"

	"roster/internal/audience"
)

// Data files have the types of the table's current schema, because other engines read them. Another program may have
// promoted a column, or replaced the table by one with other types.

// storedType returns the type that a column of Roster has in Roster's data files. now is its type in the table. A state
// reads some of the columns in Roster's type only; keys may also be binary, because engines without a type of fixed size
// make them so.
func storedType(f iceberg.NestedField, now iceberg.Type) iceberg.Type {
	switch f.Name {
	case ColID:
		if _, ok := now.(iceberg.BinaryType); ok {
			return now
		}
		return f.Type
	case ColContent, ColSince, ColSeen:
		return f.Type
	}
	return now
}

// plainInt is the type of 32-bit integers in data files. It leaves out the annotation INT(32), which is the default:
// Spark's reader fails on a column with the annotation once the column is promoted to a long.
type plainInt struct{ arrow.ExtensionBase }

var _ pqarrow.ExtensionCustomParquetType = (*plainInt)(nil)

func newPlainInt() *plainInt {
	return &plainInt{arrow.ExtensionBase{Storage: arrow.PrimitiveTypes.Int32}}
}

// ParquetLogicalType implements pqarrow.ExtensionCustomParquetType.
func (*plainInt) ParquetLogicalType() schema.LogicalType { return schema.NoLogicalType{} }

// ArrayType implements arrow.ExtensionType.
func (*plainInt) ArrayType() reflect.Type { return reflect.TypeFor[plainInts]() }

// ExtensionName implements arrow.ExtensionType.
func (*plainInt) ExtensionName() string { return "roster.int" }

// ExtensionEquals implements arrow.ExtensionType.
func (t *plainInt) ExtensionEquals(o arrow.ExtensionType) bool {
	return o.ExtensionName() == t.ExtensionName()
}

// Serialize implements arrow.ExtensionType.
func (*plainInt) Serialize() string { return "" }

// Deserialize implements arrow.ExtensionType.
func (*plainInt) Deserialize(arrow.DataType, string) (arrow.ExtensionType, error) {
	return newPlainInt(), nil
}

// plainInts is an array of plainInt.
type plainInts struct{ array.ExtensionArrayBase }

// withPlainInts returns the schema with plainInt as the type of its 32-bit integers.
func withPlainInts(s *arrow.Schema) *arrow.Schema {
	fields := s.Fields()
	for i, f := range fields {
		if f.Type.ID() == arrow.INT32 {
			fields[i].Type = newPlainInt()
		}
	}
	return arrow.NewSchema(fields, nil)
}

// inStoredTypes returns a batch with the first columns of all in the types of data files.
func (c *columns) inStoredTypes(ctx context.Context, rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	schema := arrow.NewSchema(c.stored.Fields()[:rec.NumCols()], nil)
	cols := make([]arrow.Array, rec.NumCols())
	for i, f := range schema.Fields() {
		col, err := conformed(ctx, rec.Column(i), f.Type)
		if err != nil {
			return nil, audience.Errorf(audience.Impossible, "another program changed the type of the column %q of the audience's table to %s, and values of the audience do not fit: change the type back with that program (%v)", f.Name, f.Type, err)
		}
		defer col.Release()
		cols[i] = col
	}
	return array.NewRecordBatch(schema, cols, rec.NumRows()), nil
}
