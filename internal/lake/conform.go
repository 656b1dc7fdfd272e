package lake

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// conformed returns the values of a column of a file in the type that the column has in the table now. Another program
// may have promoted the type since, and added, renamed, dropped or moved fields of a struct. The caller releases the
// result.
func conformed(ctx context.Context, col arrow.Array, t arrow.DataType) (arrow.Array, error) {
	if arrow.TypeEqual(col.DataType(), t) {
		col.Retain()
		return col, nil
	}
	switch t := t.(type) {
	case *plainInt:
		ints, err := conformed(ctx, col, t.StorageType())
		if err != nil {
			return nil, err
		}
		defer ints.Release()
		return array.NewExtensionArrayWithStorage(t, ints), nil
	case *arrow.FixedSizeBinaryType:
		if col, ok := col.(*array.Binary); ok {
			return fixed(col, t)
		}
	case *arrow.BinaryType:
		if col, ok := col.(*array.FixedSizeBinary); ok {
			return binaries(col), nil
		}
	case *arrow.StructType:
		if col, ok := col.(*array.Struct); ok {
			return conformedStruct(ctx, col, t)
		}
	case arrow.ListLikeType: // a map is a list of pairs
		if col, ok := col.(array.ListLike); ok {
			values, err := conformed(ctx, col.ListValues(), t.Elem())
			if err != nil {
				return nil, err
			}
			defer values.Release()
			return arrayOf(t, col, values.Data()), nil
		}
	}
	return compute.CastArray(ctx, col, compute.SafeCastOptions(t))
}

// fitting returns the values like conformed, with null for each value that does not fit the type. It calls unfit with the
// rows of these values; the first row of col is the row first.
func fitting(ctx context.Context, col arrow.Array, t arrow.DataType, first int, unfit func(row int)) (arrow.Array, error) {
	got, err := conformed(ctx, col, t)
	if err == nil || ctx.Err() != nil {
		return got, err
	}
	if n := col.Len(); n > 1 {
		var halves [2]arrow.Array
		for i, cut := range [2][2]int{{0, n / 2}, {n / 2, n}} {
			half := array.NewSlice(col, int64(cut[0]), int64(cut[1]))
			defer half.Release()
			if halves[i], err = fitting(ctx, half, t, first+cut[0], unfit); err != nil {
				return nil, err
			}
			defer halves[i].Release()
		}
		return array.Concatenate(halves[:], memory.DefaultAllocator)
	}
	if col.IsValid(0) {
		unfit(first)
	}
	return array.MakeArrayOfNull(memory.DefaultAllocator, t, 1), nil
}

// conformedStruct finds the fields by their ids, or by their names if the file has no ids. A field that the file does
// not have is null.
func conformedStruct(ctx context.Context, col *array.Struct, t *arrow.StructType) (arrow.Array, error) {
	if col.Data().Offset() != 0 { // the fields of the result have no offset
		whole, err := array.Concatenate([]arrow.Array{col}, memory.DefaultAllocator)
		if err != nil {
			return nil, err
		}
		defer whole.Release()
		col = whole.(*array.Struct)
	}
	var fields []arrow.ArrayData
	for _, f := range t.Fields() {
		child := array.MakeArrayOfNull(memory.DefaultAllocator, f.Type, col.Len())
		for i, have := range col.DataType().(*arrow.StructType).Fields() {
			if id := idOfField(have); id >= 0 && id == idOfField(f) || id < 0 && have.Name == f.Name {
				child.Release()
				var err error
				if child, err = conformed(ctx, col.Field(i), f.Type); err != nil {
					return nil, err
				}
				break
			}
		}
		defer child.Release()
		fields = append(fields, child.Data())
	}
	return arrayOf(t, col, fields...), nil
}

// arrayOf returns an array with the nulls and offsets of col, and with other children.
func arrayOf(t arrow.DataType, col arrow.Array, children ...arrow.ArrayData) arrow.Array {
	data := array.NewData(t, col.Len(), col.Data().Buffers(), children, col.NullN(), col.Data().Offset())
	defer data.Release()
	return array.MakeFromData(data)
}

// fixed returns binary values as values of a fixed size. Engines without such a type store them as binary values.
func fixed(col *array.Binary, t *arrow.FixedSizeBinaryType) (arrow.Array, error) {
	b := array.NewFixedSizeBinaryBuilder(memory.DefaultAllocator, t)
	defer b.Release()
	for i := range col.Len() {
		switch {
		case col.IsNull(i):
			b.AppendNull()
		case len(col.Value(i)) != t.ByteWidth:
			return nil, fmt.Errorf("a value of %d bytes is no %s", len(col.Value(i)), t)
		default:
			b.Append(col.Value(i))
		}
	}
	return b.NewArray(), nil
}

// binaries is the reverse of fixed.
func binaries(col *array.FixedSizeBinary) arrow.Array {
	b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	defer b.Release()
	for i := range col.Len() {
		if col.IsNull(i) {
			b.AppendNull()
		} else {
			b.Append(col.Value(i))
		}
	}
	return b.NewArray()
}
