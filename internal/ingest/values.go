package ingest

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// values gives access to a column of a batch as slices, so a row is read without method calls on its array. The slices
// belong to the array.
type values struct {
	nulls  []byte // validity bitmap; nil if no value is null
	offset int    // offset of the first value in the bitmap
	kind   arrow.Type
	ends   []int32 // of texts: the end of each, after the start of the first
	text   []byte  // from the start of the first text
	wide   []int64
	times  []arrow.Timestamp
	floats []float64
	narrow []int32
	dates  []arrow.Date32
	truths *array.Boolean
}

// valuesOf returns the values of a column. The column must have the type of a field.
func valuesOf(col arrow.Array) values {
	v := values{kind: col.DataType().ID()}
	if col.NullN() > 0 {
		v.nulls, v.offset = col.NullBitmapBytes(), col.Data().Offset()
	}
	switch a := col.(type) {
	case *array.String:
		if a.Len() > 0 {
			v.ends, v.text = a.ValueOffsets(), a.ValueBytes()
		}
	case *array.Int64:
		v.wide = a.Int64Values()
	case *array.Timestamp:
		v.times = a.TimestampValues()
	case *array.Float64:
		v.floats = a.Float64Values()
	case *array.Int32:
		v.narrow = a.Int32Values()
	case *array.Date32:
		v.dates = a.Date32Values()
	case *array.Boolean:
		v.truths = a
	default:
		panic(fmt.Sprintf("ingest: a batch with a column of type %s", col.DataType()))
	}
	return v
}

func (v *values) isNull(row int) bool {
	at := v.offset + row
	return v.nulls != nil && v.nulls[at>>3]&(1<<(at&7)) == 0
}

// shortText is the size of texts that appendText copies quickly, in bytes.
const shortText = 16

// appendText appends a text. Copying a fixed number of bytes is quicker than copying the right number.
func appendText(dst, text []byte) []byte {
	if at := len(dst); len(text) <= shortText && cap(text) >= shortText && cap(dst)-at >= shortText {
		*(*[shortText]byte)(dst[at : at+shortText]) = [shortText]byte(text[:shortText])
		return dst[:at+len(text)]
	}
	return append(dst, text...)
}

// append appends the encoding of a non-null value.
func (v *values) append(dst []byte, row int) []byte {
	switch v.kind {
	case arrow.STRING:
		start, end := v.ends[row]-v.ends[0], v.ends[row+1]-v.ends[0]
		dst = binary.AppendUvarint(dst, uint64(end-start))
		return appendText(dst, v.text[start:end])
	case arrow.INT64:
		return binary.LittleEndian.AppendUint64(dst, uint64(v.wide[row]))
	case arrow.TIMESTAMP:
		return binary.LittleEndian.AppendUint64(dst, uint64(v.times[row]))
	case arrow.FLOAT64:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.floats[row]))
	case arrow.INT32:
		return binary.LittleEndian.AppendUint32(dst, uint32(v.narrow[row]))
	case arrow.DATE32:
		return binary.LittleEndian.AppendUint32(dst, uint32(v.dates[row]))
	}
	if v.truths.Value(row) {
		return append(dst, 1)
	}
	return append(dst, 0)
}
