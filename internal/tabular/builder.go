package tabular

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"roster/internal/audience"
)

// builder collects the values of one column in Arrow's own layout. Its memory is reused from batch to batch, so
// that a row costs no allocation.
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
	scratch []byte // a value without its escapes

	patterns datePatterns // beside ISO 8601
	proposed bool         // the type was not declared
	commas   bool         // numbers are written with decimal commas
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

func newBuilder(c Column, patterns datePatterns) *builder {
	return &builder{typ: c.Type, data: arrowType(c.Type), offsets: []int32{0}, patterns: patterns, proposed: c.Proposed}
}

// extend adds n rows. They are valid, and false, or have a value left from before until they get one.
func (b *builder) extend(n int) {
	b.valid = extendBits(b.valid, b.rows, n, true)
	switch b.typ {
	case audience.String:
		b.offsets = extend(b.offsets, n)
	case audience.Number:
		b.f64 = extend(b.f64, n)
	case audience.Long, audience.DateTime:
		b.i64 = extend(b.i64, n)
	case audience.Integer, audience.Date:
		b.i32 = extend(b.i32, n)
	case audience.Boolean:
		b.bits = extendBits(b.bits, b.rows, n, false)
	}
	b.rows += n
}

func extend[T any](s []T, n int) []T { return slices.Grow(s, n)[:len(s)+n] }

// extendBits gives a bitmap of n bits m more.
func extendBits(bits []byte, n, m int, v bool) []byte {
	old := len(bits)
	bits = extend(bits, (n+m+7)/8-old)
	fill := byte(0)
	if v {
		fill = 0xff
	}
	for i := range bits[old:] {
		bits[old+i] = fill
	}
	if rest := n % 8; rest > 0 {
		low := byte(1)<<rest - 1
		bits[n/8] = bits[n/8]&low | fill&^low
	}
	return bits
}

// null makes a row null; its value is up to the caller.
func (b *builder) null(row int) {
	b.valid[row/8] &^= 1 << (row % 8)
	b.nulls++
}

// addNulls appends n nulls.
func (b *builder) addNulls(n int) {
	row := b.rows
	b.extend(n)
	switch b.typ {
	case audience.String:
		for i := range n {
			b.offsets[row+1+i] = int32(len(b.text))
		}
	case audience.Number:
		clear(b.f64[row:])
	case audience.Long, audience.DateTime:
		clear(b.i64[row:])
	case audience.Integer, audience.Date:
		clear(b.i32[row:])
	}
	for i := range n {
		b.null(row + i)
	}
}

// remove takes out the rows, counted from first, that are bad.
func (b *builder) remove(first int, bad []bool) {
	to := first
	text := int(b.offset(first))
	for i, out := range bad {
		from := first + i
		valid := b.valid[from/8]>>(from%8)&1 != 0
		if out {
			if !valid {
				b.nulls--
			}
			continue
		}
		setBit(b.valid, to, valid)
		switch b.typ {
		case audience.String:
			// Offsets are overwritten only up to the row that is read, where they stay what they were.
			text += copy(b.text[text:], b.text[b.offsets[from]:b.offsets[from+1]])
			b.offsets[to+1] = int32(text)
		case audience.Number:
			b.f64[to] = b.f64[from]
		case audience.Long, audience.DateTime:
			b.i64[to] = b.i64[from]
		case audience.Integer, audience.Date:
			b.i32[to] = b.i32[from]
		case audience.Boolean:
			setBit(b.bits, to, b.bits[from/8]>>(from%8)&1 != 0)
		}
		to++
	}
	b.truncate(to)
}

// offset returns where the text of a row begins, 0 for other types.
func (b *builder) offset(row int) int32 {
	if b.typ != audience.String {
		return 0
	}
	return b.offsets[row]
}

func setBit(bits []byte, n int, v bool) {
	if v {
		bits[n/8] |= 1 << (n % 8)
	} else {
		bits[n/8] &^= 1 << (n % 8)
	}
}

// truncate keeps the first n rows; the caller has accounted for the nulls among the others.
func (b *builder) truncate(n int) {
	b.rows = n
	bytes := (n + 7) / 8
	b.valid = b.valid[:bytes]
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
		b.bits = b.bits[:bytes]
	}
}

// reset empties the builder for the next batch.
func (b *builder) reset() {
	b.truncate(0)
	b.nulls = 0
}

// maxIdle is how much room for text the builders of a parser keep for the next batch: each of very many columns may have
// had a long text once.
const maxIdle = 8 << 20

// resetAll empties builders for the next batch.
func resetAll(builders []*builder) {
	room := 0
	for _, b := range builders {
		b.reset()
		if room += cap(b.text) + cap(b.scratch); room > maxIdle {
			b.text, b.scratch = nil, nil
		}
	}
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
