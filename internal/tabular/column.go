package tabular

import (
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"roster/internal/audience"
)

// builder collects the values of one column in Arrow's own layout. Its memory is reused from batch to batch, so
// that a row costs no allocation; rows that turn out to be rejects are taken back by truncating.
type builder struct {
	typ     audience.Type
	data    arrow.DataType
	rows    int
	nulls   int
	valid   []byte  // bitmap
	offsets []int32 // of text
	text    []byte
	f64     []float64
	i64     []int64
	i32     []int32
	bits    []byte // of booleans
}

func arrowType(t audience.Type) arrow.DataType {
	switch t {
	case audience.Number:
		return arrow.PrimitiveTypes.Float64
	case audience.Long:
		return arrow.PrimitiveTypes.Int64
	case audience.Integer:
		return arrow.PrimitiveTypes.Int32
	case audience.Date:
		return arrow.FixedWidthTypes.Date32
	case audience.DateTime:
		return arrow.FixedWidthTypes.Timestamp_us
	case audience.Boolean:
		return arrow.FixedWidthTypes.Boolean
	}
	return arrow.BinaryTypes.String
}

func newBuilder(t audience.Type) *builder {
	return &builder{typ: t, data: arrowType(t), offsets: []int32{0}}
}

// add appends a value; validText says that the whole chunk is known to be valid UTF-8. The code is "" when the
// value fits.
func (b *builder) add(v []byte, validText bool) (code string) {
	if b.typ == audience.String {
		if len(v) == 0 {
			b.null()
			return ""
		}
		if !validText && !utf8.Valid(v) {
			return CodeEncoding
		}
		b.text = append(b.text, v...)
		b.offsets = append(b.offsets, int32(len(b.text)))
		b.set(true)
		return ""
	}
	if v = trimSpaces(v); len(v) == 0 {
		b.null()
		return ""
	}
	var err error
	switch b.typ {
	case audience.Number:
		var x float64
		x, err = parseNumber(v)
		b.f64 = append(b.f64, x)
	case audience.Long:
		var x int64
		x, err = parseLong(v)
		b.i64 = append(b.i64, x)
	case audience.DateTime:
		var x int64
		x, err = parseDateTime(v)
		b.i64 = append(b.i64, x)
	case audience.Integer:
		var x int32
		x, err = parseInteger(v)
		b.i32 = append(b.i32, x)
	case audience.Date:
		var x int32
		x, err = parseDate(v)
		b.i32 = append(b.i32, x)
	case audience.Boolean:
		var x bool
		x, err = parseBoolean(v)
		b.bits = setBit(b.bits, b.rows, x)
	}
	b.set(true)
	switch err {
	case nil:
		return ""
	case errRange:
		return CodeRange
	}
	return CodeType
}

// null appends a null.
func (b *builder) null() {
	switch b.typ {
	case audience.String:
		b.offsets = append(b.offsets, int32(len(b.text)))
	case audience.Number:
		b.f64 = append(b.f64, 0)
	case audience.Long, audience.DateTime:
		b.i64 = append(b.i64, 0)
	case audience.Integer, audience.Date:
		b.i32 = append(b.i32, 0)
	case audience.Boolean:
		b.bits = setBit(b.bits, b.rows, false)
	}
	b.set(false)
	b.nulls++
}

func (b *builder) set(valid bool) {
	b.valid = setBit(b.valid, b.rows, valid)
	b.rows++
}

// setBit sets the n-th bit of a bitmap that has bits up to n.
func setBit(bits []byte, n int, v bool) []byte {
	if n>>3 == len(bits) {
		bits = append(bits, 0)
	}
	if v {
		bits[n>>3] |= 1 << (n & 7)
	} else {
		bits[n>>3] &^= 1 << (n & 7)
	}
	return bits
}

// truncate takes back everything after the first n rows. It is called with at most one row more.
func (b *builder) truncate(n int) {
	if b.rows > n {
		if b.valid[n>>3]&(1<<(n&7)) == 0 {
			b.nulls--
		}
		b.rows = n
	}
	bytes := (n + 7) / 8
	b.valid = b.valid[:min(len(b.valid), bytes)]
	switch b.typ {
	case audience.String:
		b.offsets = b.offsets[:n+1]
		b.text = b.text[:b.offsets[n]]
	case audience.Number:
		b.f64 = b.f64[:n]
	case audience.Long, audience.DateTime:
		b.i64 = b.i64[:n]
	case audience.Integer, audience.Date:
		b.i32 = b.i32[:n]
	case audience.Boolean:
		b.bits = b.bits[:min(len(b.bits), bytes)]
	}
}

// reset empties the builder for the next batch.
func (b *builder) reset() {
	b.truncate(0)
	b.rows, b.nulls = 0, 0
}

// array wraps the values without copying them; it is valid until the builder changes.
func (b *builder) array() arrow.Array {
	var valid *memory.Buffer
	if b.nulls > 0 {
		valid = memory.NewBufferBytes(b.valid)
	}
	buffers := []*memory.Buffer{valid}
	switch b.typ {
	case audience.String:
		buffers = append(buffers, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(b.offsets)), memory.NewBufferBytes(b.text))
	case audience.Number:
		buffers = append(buffers, memory.NewBufferBytes(arrow.Float64Traits.CastToBytes(b.f64)))
	case audience.Long, audience.DateTime:
		buffers = append(buffers, memory.NewBufferBytes(arrow.Int64Traits.CastToBytes(b.i64)))
	case audience.Integer, audience.Date:
		buffers = append(buffers, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(b.i32)))
	case audience.Boolean:
		buffers = append(buffers, memory.NewBufferBytes(b.bits))
	}
	data := array.NewData(b.data, b.rows, buffers, nil, b.nulls, 0)
	defer data.Release()
	return array.MakeFromData(data)
}
