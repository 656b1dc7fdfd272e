package tabular

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"unicode/utf8"

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

// value returns a field's value. It is valid until the next call.
func (b *builder) value(k *block, f field) []byte {
	v := k.text[uint32(f):][:f<<1>>33]
	if f&escaped != 0 {
		v = b.unescape(k.marks, v)
	}
	return v
}

// unescape returns a quoted value with each pair of quotes as one, and without the escapes.
func (b *builder) unescape(d dialect, v []byte) []byte {
	b.scratch = b.scratch[:0]
	if d.escape != 0 {
		b.scratch = d.unescape(b.scratch, v)
		return b.scratch
	}
	for {
		n := bytes.IndexByte(v, d.quote)
		b.scratch = append(b.scratch, v[:n+1]...)
		if n < 0 {
			b.scratch = append(b.scratch, v...)
			return b.scratch
		}
		v = v[n+2:]
	}
}

// add appends the rows of a block; column is the column of the file.
func (b *builder) add(k *block, column int, bad *faults) {
	if b.commas && isNumeric(b.typ) {
		b.addCommaNumbers(k, column, bad)
		return
	}
	switch b.typ {
	case audience.String:
		b.addStrings(k, column, bad)
	case audience.Number:
		b.addNumbers(k, column, bad)
	case audience.Long:
		b.addLongs(k, column, bad)
	case audience.Integer:
		b.addIntegers(k, column, bad)
	case audience.Date:
		b.addDates(k, column, bad)
	case audience.DateTime:
		b.addDateTimes(k, column, bad)
	case audience.Boolean:
		b.addBooleans(k, column, bad)
	}
	if b.proposed {
		b.addLossy(k, column, bad)
	}
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

// short is how many bytes of a text are copied at once, whatever its length.
const short = 16

func (b *builder) addStrings(k *block, column int, bad *faults) {
	first := b.rows
	b.extend(k.rows)
	offsets := b.offsets[first+1:][:k.rows]
	at := len(b.text)
	text := slices.Grow(b.text, textSize(k, column)+short)
	text = text[:cap(text)]
	for row, i := 0, column; row < len(offsets); row, i = row+1, i+k.stride {
		f := k.fields[i]
		start, n := uint32(f), int(f>>32)
		switch {
		case n == 0:
			b.null(first + row)
		case !k.valid && !utf8.Valid(b.value(k, f)):
			bad.add(row, CodeEncoding)
		case n <= short:
			*(*[short]byte)(text[at:]) = *(*[short]byte)(k.text[start:])
			at += n
		case f&escaped == 0:
			at += copy(text[at:], k.text[start:][:n])
		default:
			at += copy(text[at:], b.value(k, f))
		}
		offsets[row] = int32(at)
	}
	b.text = text[:at]
}

// textSize returns a bound of the text in a column of a block. The bounds of all columns are together at most cheap, or exact.
func textSize(k *block, column int) int {
	const cheap = 1 << 20
	if all := int(k.ends[k.rows-1] - k.starts[0]); all*k.stride <= cheap {
		return all
	}
	size := 0
	for i := column; i < k.rows*k.stride; i += k.stride {
		size += int(uint32(k.fields[i]>>32) &^ (1 << 31))
	}
	return size
}

func (b *builder) addLongs(k *block, column int, bad *faults) {
	first := b.rows
	b.extend(k.rows)
	values := b.i64[first:]
	for row, i := 0, column; row < len(values); row, i = row+1, i+k.stride {
		f := k.fields[i]
		if n := uint32(f >> 32); n-1 < 8 {
			if v, ok := eightDigits(binary.LittleEndian.Uint64(k.text[uint32(f):]), n); ok {
				values[row] = int64(v)
				continue
			}
		} else if n-9 < 8 {
			high, ok1 := eightDigits(binary.LittleEndian.Uint64(k.text[uint32(f):]), n-8)
			low, ok2 := eightDigits(binary.LittleEndian.Uint64(k.text[uint32(f)+n-8:]), 8)
			if ok1 && ok2 {
				values[row] = int64(high*1e8 + low)
				continue
			}
		}
		v := trimSpaces(b.value(k, f))
		if len(v) == 0 {
			values[row] = 0
			b.null(first + row)
			continue
		}
		x, code := parseLong(v)
		values[row] = x
		if code != "" {
			bad.add(row, code)
		}
	}
}

func (b *builder) addIntegers(k *block, column int, bad *faults) {
	first := b.rows
	b.extend(k.rows)
	values := b.i32[first:]
	for row, i := 0, column; row < len(values); row, i = row+1, i+k.stride {
		f := k.fields[i]
		if n := uint32(f >> 32); n-1 < 8 {
			if v, ok := eightDigits(binary.LittleEndian.Uint64(k.text[uint32(f):]), n); ok {
				values[row] = int32(v)
				continue
			}
		}
		v := trimSpaces(b.value(k, f))
		if len(v) == 0 {
			values[row] = 0
			b.null(first + row)
			continue
		}
		x, code := parseInteger(v)
		values[row] = x
		if code != "" {
			bad.add(row, code)
		}
	}
}

func (b *builder) addNumbers(k *block, column int, bad *faults) {
	first := b.rows
	b.extend(k.rows)
	values := b.f64[first:]
	for row, i := 0, column; row < len(values); row, i = row+1, i+k.stride {
		f := k.fields[i]
		start, n := uint32(f), uint32(f>>32)
		sign := uint64(0)
		if k.text[start] == '-' {
			sign = 1
		}
		start, n = start+uint32(sign), n-uint32(sign)
		if n-1 < 8 {
			if v, ok := shortDecimal(binary.LittleEndian.Uint64(k.text[start:]), n); ok {
				values[row] = math.Float64frombits(math.Float64bits(v) | sign<<63)
				continue
			}
		}
		v := trimSpaces(b.value(k, f))
		if len(v) == 0 {
			values[row] = 0
			b.null(first + row)
			continue
		}
		x, code := parseNumber(v)
		values[row] = x
		if code != "" {
			bad.add(row, code)
		}
	}
}

func (b *builder) addDates(k *block, column int, bad *faults) {
	first := b.rows
	b.extend(k.rows)
	values := b.i32[first:]
	for row, i := 0, column; row < len(values); row, i = row+1, i+k.stride {
		v := trimSpaces(b.value(k, k.fields[i]))
		if len(v) == 0 {
			values[row] = 0
			b.null(first + row)
			continue
		}
		x, code := parseDate(v)
		if code == CodeType && len(b.patterns) > 0 {
			x, code = b.patterns.date(v)
		}
		values[row] = x
		if code != "" {
			bad.add(row, code)
		}
	}
}

func (b *builder) addDateTimes(k *block, column int, bad *faults) {
	first := b.rows
	b.extend(k.rows)
	values := b.i64[first:]
	for row, i := 0, column; row < len(values); row, i = row+1, i+k.stride {
		v := trimSpaces(b.value(k, k.fields[i]))
		if len(v) == 0 {
			values[row] = 0
			b.null(first + row)
			continue
		}
		x, code := parseDateTime(v)
		if code == CodeType && len(b.patterns) > 0 {
			x, code = b.patterns.dateTime(v)
		}
		values[row] = x
		if code != "" {
			bad.add(row, code)
		}
	}
}

func (b *builder) addBooleans(k *block, column int, bad *faults) {
	first := b.rows
	b.extend(k.rows)
	for row, i := 0, column; row < k.rows; row, i = row+1, i+k.stride {
		v := trimSpaces(b.value(k, k.fields[i]))
		if len(v) == 0 {
			b.null(first + row)
			continue
		}
		x, code := parseBoolean(v)
		if x {
			b.bits[(first+row)/8] |= 1 << ((first + row) % 8)
		}
		if code != "" {
			bad.add(row, code)
		}
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
