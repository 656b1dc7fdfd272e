package value

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"roster/internal/audience"
	"roster/internal/tabular"
)

// Builder collects the values of one column in Arrow's own layout. It reuses its memory from batch to batch, so that a
// row costs no allocation.
type Builder struct {
	Typ     audience.Type
	data    arrow.DataType
	Rows    int
	Nulls   int
	Valid   []byte  // bitmap
	Offsets []int32 // of text
	Text    []byte
	F64     []float64
	I64     []int64
	I32     []int32
	Bits    []byte // of booleans
	Scratch []byte // a value after its escapes are resolved

	Patterns DatePatterns // in addition to ISO 8601
	Proposed bool         // the type was proposed, not declared
	Commas   bool         // numbers have decimal commas
}

func ArrowType(t audience.Type) arrow.DataType {
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

func NewBuilder(c tabular.Column, patterns DatePatterns) *Builder {
	return &Builder{Typ: c.Type, data: ArrowType(c.Type), Offsets: []int32{0}, Patterns: patterns, Proposed: c.Proposed}
}

// Extend adds n rows. They are valid, and false or with an old value until they get a new one.
func (b *Builder) Extend(n int) {
	b.Valid = extendBits(b.Valid, b.Rows, n, true)
	switch b.Typ {
	case audience.String:
		b.Offsets = extend(b.Offsets, n)
	case audience.Number:
		b.F64 = extend(b.F64, n)
	case audience.Long, audience.DateTime:
		b.I64 = extend(b.I64, n)
	case audience.Integer, audience.Date:
		b.I32 = extend(b.I32, n)
	case audience.Boolean:
		b.Bits = extendBits(b.Bits, b.Rows, n, false)
	}
	b.Rows += n
}

func extend[T any](s []T, n int) []T { return slices.Grow(s, n)[:len(s)+n] }

// extendBits extends a bitmap of n bits by m bits.
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

// Null makes a row null. The caller sets its value.
func (b *Builder) Null(row int) {
	b.Valid[row/8] &^= 1 << (row % 8)
	b.Nulls++
}

// AddNulls appends n nulls.
func (b *Builder) AddNulls(n int) {
	row := b.Rows
	b.Extend(n)
	switch b.Typ {
	case audience.String:
		for i := range n {
			b.Offsets[row+1+i] = int32(len(b.Text))
		}
	case audience.Number:
		clear(b.F64[row:])
	case audience.Long, audience.DateTime:
		clear(b.I64[row:])
	case audience.Integer, audience.Date:
		clear(b.I32[row:])
	}
	for i := range n {
		b.Null(row + i)
	}
}

// Remove removes the bad rows, counted from first.
func (b *Builder) Remove(first int, bad []bool) {
	to := first
	text := int(b.offset(first))
	for i, out := range bad {
		from := first + i
		valid := b.Valid[from/8]>>(from%8)&1 != 0
		if out {
			if !valid {
				b.Nulls--
			}
			continue
		}
		SetBit(b.Valid, to, valid)
		switch b.Typ {
		case audience.String:
			// The loop overwrites offsets only up to the row that it reads, where they keep their value.
			text += copy(b.Text[text:], b.Text[b.Offsets[from]:b.Offsets[from+1]])
			b.Offsets[to+1] = int32(text)
		case audience.Number:
			b.F64[to] = b.F64[from]
		case audience.Long, audience.DateTime:
			b.I64[to] = b.I64[from]
		case audience.Integer, audience.Date:
			b.I32[to] = b.I32[from]
		case audience.Boolean:
			SetBit(b.Bits, to, b.Bits[from/8]>>(from%8)&1 != 0)
		}
		to++
	}
	b.truncate(to)
}

// offset returns the beginning of a row's text, 0 for other types.
func (b *Builder) offset(row int) int32 {
	if b.Typ != audience.String {
		return 0
	}
	return b.Offsets[row]
}

func SetBit(bits []byte, n int, v bool) {
	if v {
		bits[n/8] |= 1 << (n % 8)
	} else {
		bits[n/8] &^= 1 << (n % 8)
	}
}

// truncate keeps the first n rows. The caller accounts for the nulls among the others.
func (b *Builder) truncate(n int) {
	b.Rows = n
	bytes := (n + 7) / 8
	b.Valid = b.Valid[:bytes]
	switch b.Typ {
	case audience.String:
		b.Offsets = b.Offsets[:n+1]
		b.Text = b.Text[:b.Offsets[n]]
	case audience.Number:
		b.F64 = b.F64[:n]
	case audience.Long, audience.DateTime:
		b.I64 = b.I64[:n]
	case audience.Integer, audience.Date:
		b.I32 = b.I32[:n]
	case audience.Boolean:
		b.Bits = b.Bits[:bytes]
	}
}

// reset empties the builder for the next batch.
func (b *Builder) reset() {
	b.truncate(0)
	b.Nulls = 0
}

// maxIdle limits the memory for text that the builders of a parser keep for the next batch, because each of very many
// columns may once have had a long text.
const maxIdle = 8 << 20

// ResetAll empties builders for the next batch.
func ResetAll(builders []*Builder) {
	room := 0
	for _, b := range builders {
		b.reset()
		if room += cap(b.Text) + cap(b.Scratch); room > maxIdle {
			b.Text, b.Scratch = nil, nil
		}
	}
}

// Array wraps the values without a copy. It is valid until the builder changes.
func (b *Builder) Array() arrow.Array {
	var valid *memory.Buffer
	if b.Nulls > 0 {
		valid = memory.NewBufferBytes(b.Valid)
	}
	buffers := []*memory.Buffer{valid}
	switch b.Typ {
	case audience.String:
		buffers = append(buffers, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(b.Offsets)), memory.NewBufferBytes(b.Text))
	case audience.Number:
		buffers = append(buffers, memory.NewBufferBytes(arrow.Float64Traits.CastToBytes(b.F64)))
	case audience.Long, audience.DateTime:
		buffers = append(buffers, memory.NewBufferBytes(arrow.Int64Traits.CastToBytes(b.I64)))
	case audience.Integer, audience.Date:
		buffers = append(buffers, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(b.I32)))
	case audience.Boolean:
		buffers = append(buffers, memory.NewBufferBytes(b.Bits))
	}
	data := array.NewData(b.data, b.Rows, buffers, nil, b.Nulls, 0)
	defer data.Release()
	return array.MakeFromData(data)
}
