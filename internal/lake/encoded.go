package lake

import (
	"encoding/binary"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Values of columns that other programs added are encoded when rows go through a spill. A column can have any type that
// Iceberg allows. An encoded value is a byte, 0 for null, and then the value: the bytes of a type with fixed width, a
// byte for a boolean, the length and the bytes of a text, the length and the elements of a list, the fields of a struct.

// AppendEncoded appends value i of a column that another program added, encoded for AddedValues.AddEncoded.
func AppendEncoded(dst []byte, col arrow.Array, i int) []byte {
	if e, ok := col.(array.ExtensionArray); ok {
		col = e.Storage()
	}
	if col.IsNull(i) || col.DataType().ID() == arrow.NULL {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	switch col := col.(type) {
	case *array.Boolean:
		if col.Value(i) {
			return append(dst, 1)
		}
		return append(dst, 0)
	case *array.String:
		v := col.Value(i)
		return append(binary.AppendUvarint(dst, uint64(len(v))), v...)
	case *array.Binary:
		v := col.Value(i)
		return append(binary.AppendUvarint(dst, uint64(len(v))), v...)
	case *array.Struct:
		for n := range col.NumField() {
			dst = AppendEncoded(dst, col.Field(n), i)
		}
		return dst
	case array.ListLike: // a map is a list of pairs
		from, to := col.ValueOffsets(i)
		dst = binary.AppendUvarint(dst, uint64(to-from))
		for ; from < to; from++ {
			dst = AppendEncoded(dst, col.ListValues(), int(from))
		}
		return dst
	}
	width := col.DataType().(arrow.FixedWidthDataType).Bytes()
	at := (col.Data().Offset() + i) * width
	return append(dst, col.Data().Buffers()[1].Bytes()[at:at+width]...)
}

// encodedColumn collects encoded values of a column.
type encodedColumn struct {
	kind     arrow.DataType
	n, nulls int
	valid    []byte  // bitmap
	offsets  []int32 // of texts and lists
	data     []byte  // fixed width, text, or the bitmap of booleans
	children []*encodedColumn
}

func newEncodedColumn(kind arrow.DataType) *encodedColumn {
	c := &encodedColumn{kind: kind, offsets: []int32{0}}
	switch t := storageOf(kind).(type) {
	case *arrow.StructType:
		for _, f := range t.Fields() {
			c.children = append(c.children, newEncodedColumn(f.Type))
		}
	case arrow.ListLikeType:
		c.children = []*encodedColumn{newEncodedColumn(t.Elem())}
	}
	return c
}

// storageOf returns the type in which the values of a type are stored.
func storageOf(t arrow.DataType) arrow.DataType {
	if e, ok := t.(arrow.ExtensionType); ok {
		return e.StorageType()
	}
	return t
}

// append appends the encoded value at the start of p and returns the rest of p.
func (c *encodedColumn) append(p []byte) []byte {
	null := p[0] == 0
	p = p[1:]
	if c.n%8 == 0 {
		c.valid = append(c.valid, 0)
	}
	if null {
		c.nulls++
	} else {
		bitutil.SetBit(c.valid, c.n)
	}
	p = c.appendValue(storageOf(c.kind), p, null)
	c.n++
	return p
}

func (c *encodedColumn) appendValue(kind arrow.DataType, p []byte, null bool) []byte {
	size := 0
	switch t := kind.(type) {
	case *arrow.NullType:
	case *arrow.BooleanType:
		if c.n%8 == 0 {
			c.data = append(c.data, 0)
		}
		if !null {
			bitutil.SetBitTo(c.data, c.n, p[0] != 0)
			p = p[1:]
		}
	case *arrow.StringType, *arrow.BinaryType:
		if !null {
			n, w := binary.Uvarint(p)
			size, p = int(n), p[w:]
		}
		c.data = append(c.data, p[:size]...)
		c.offsets = append(c.offsets, int32(len(c.data)))
	case *arrow.StructType:
		for _, child := range c.children {
			if null {
				child.append([]byte{0})
			} else {
				p = child.append(p)
			}
		}
	case arrow.ListLikeType:
		if !null {
			n, w := binary.Uvarint(p)
			p = p[w:]
			for range n {
				p = c.children[0].append(p)
			}
		}
		c.offsets = append(c.offsets, int32(c.children[0].n))
	case arrow.FixedWidthDataType:
		if null {
			c.data = append(c.data, make([]byte, t.Bytes())...)
			break
		}
		size = t.Bytes()
		c.data = append(c.data, p[:size]...)
	default:
		panic(fmt.Sprintf("lake: a column of type %s", kind))
	}
	return p[size:]
}

// array returns the collected values and begins a new collection.
func (c *encodedColumn) array() arrow.Array {
	data := c.arrayData()
	defer data.Release()
	*c = *newEncodedColumn(c.kind)
	return array.MakeFromData(data)
}

func (c *encodedColumn) arrayData() arrow.ArrayData {
	buffers := []*memory.Buffer{nil}
	if c.nulls > 0 {
		buffers[0] = memory.NewBufferBytes(c.valid)
	}
	offsets := memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(c.offsets))
	switch storageOf(c.kind).(type) {
	case *arrow.NullType, *arrow.StructType:
	case *arrow.StringType, *arrow.BinaryType:
		buffers = append(buffers, offsets, memory.NewBufferBytes(c.data))
	case arrow.ListLikeType:
		buffers = append(buffers, offsets)
	default:
		buffers = append(buffers, memory.NewBufferBytes(c.data))
	}
	var children []arrow.ArrayData
	for _, child := range c.children {
		data := child.arrayData()
		defer data.Release()
		children = append(children, data)
	}
	return array.NewData(c.kind, c.n, buffers, children, c.nulls, 0)
}
