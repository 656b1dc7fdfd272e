package tabular

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"unicode/utf8"

	"roster/internal/audience"
)

// valueOf returns a field's value. It is valid until the next call.
func valueOf(b *builder, k *block, f field) []byte {
	v := k.text[uint32(f):][:f<<1>>33]
	if f&escaped != 0 {
		v = unquoted(b, k.marks, v)
	}
	return v
}

// unquoted returns a quoted value with each pair of quotes as one, and without the escapes.
func unquoted(b *builder, d dialect, v []byte) []byte {
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

// addColumn appends the rows of a block; column is the column of the file.
func addColumn(b *builder, k *block, column int, bad *faults) {
	if b.commas && isNumeric(b.typ) {
		addCommaNumbers(b, k, column, bad)
		return
	}
	switch b.typ {
	case audience.String:
		addStrings(b, k, column, bad)
	case audience.Number:
		addNumbers(b, k, column, bad)
	case audience.Long:
		addLongs(b, k, column, bad)
	case audience.Integer:
		addIntegers(b, k, column, bad)
	case audience.Date:
		addDates(b, k, column, bad)
	case audience.DateTime:
		addDateTimes(b, k, column, bad)
	case audience.Boolean:
		addBooleans(b, k, column, bad)
	}
	if b.proposed {
		addLossy(b, k, column, bad)
	}
}

// short is how many bytes of a text are copied at once, whatever its length.
const short = 16

func addStrings(b *builder, k *block, column int, bad *faults) {
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
		case !k.valid && !utf8.Valid(valueOf(b, k, f)):
			bad.add(row, CodeEncoding)
		case n <= short:
			*(*[short]byte)(text[at:]) = *(*[short]byte)(k.text[start:])
			at += n
		case f&escaped == 0:
			at += copy(text[at:], k.text[start:][:n])
		default:
			at += copy(text[at:], valueOf(b, k, f))
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

func addLongs(b *builder, k *block, column int, bad *faults) {
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
		v := trimSpaces(valueOf(b, k, f))
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

func addIntegers(b *builder, k *block, column int, bad *faults) {
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
		v := trimSpaces(valueOf(b, k, f))
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

func addNumbers(b *builder, k *block, column int, bad *faults) {
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
		v := trimSpaces(valueOf(b, k, f))
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

func addDates(b *builder, k *block, column int, bad *faults) {
	first := b.rows
	b.extend(k.rows)
	values := b.i32[first:]
	for row, i := 0, column; row < len(values); row, i = row+1, i+k.stride {
		v := trimSpaces(valueOf(b, k, k.fields[i]))
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

func addDateTimes(b *builder, k *block, column int, bad *faults) {
	first := b.rows
	b.extend(k.rows)
	values := b.i64[first:]
	for row, i := 0, column; row < len(values); row, i = row+1, i+k.stride {
		v := trimSpaces(valueOf(b, k, k.fields[i]))
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

func addBooleans(b *builder, k *block, column int, bad *faults) {
	first := b.rows
	b.extend(k.rows)
	for row, i := 0, column; row < k.rows; row, i = row+1, i+k.stride {
		v := trimSpaces(valueOf(b, k, k.fields[i]))
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

// emptyNulls makes the values of a column that are one of texts empty, and so null in every type.
func emptyNulls(b *builder, k *block, column int, texts []string) {
	for i := column; i < k.rows*k.stride; i += k.stride {
		f := k.fields[i]
		if isOneOf(valueOf(b, k, f), texts) {
			k.fields[i] = fieldAt(int(uint32(f)), int(uint32(f)))
		}
	}
}

// addIdentities adds a fault for each row whose value is no identity.
func addIdentities(b *builder, k *block, column int, c *Column, bad *faults) {
	for row, i := 0, column; row < k.rows; row, i = row+1, i+k.stride {
		if code, reason := noIdentity(c, valueOf(b, k, k.fields[i])); code != "" {
			bad.refuse(row, code, reason)
		}
	}
}

// addLossy adds a fault for each row of a block whose value a proposed type does not keep; column is the column of the file.
func addLossy(b *builder, k *block, column int, bad *faults) {
	whole := b.typ == audience.Integer || b.typ == audience.Long
	if b.typ == audience.Boolean || b.typ == audience.Date { // which lose nothing
		return
	}
	for row, i := 0, column; row < k.rows; row, i = row+1, i+k.stride {
		if whole && k.text[uint32(k.fields[i])]-'1' <= '9'-'1' { // most whole numbers, which hasMarks knows by their first digit
			continue
		}
		if v := trimSpaces(valueOf(b, k, k.fields[i])); len(v) > 0 && !bad.bad[row] && !keeps(b.typ, v, false) {
			bad.add(row, CodeProposed)
		}
	}
}

// addCommaNumbers adds the rows of a block whose numbers are written with decimal commas.
func addCommaNumbers(b *builder, k *block, column int, bad *faults) {
	first := b.rows
	b.addNulls(k.rows)
	var plain []byte
	for row, i := 0, column; row < k.rows; row, i = row+1, i+k.stride {
		v := trimSpaces(valueOf(b, k, k.fields[i]))
		if len(v) == 0 {
			continue
		}
		b.valid[(first+row)/8] |= 1 << ((first + row) % 8)
		b.nulls--
		var ok bool
		if plain, ok = withPoint(plain[:0], v); !ok {
			bad.add(row, CodeType)
			continue
		}
		code := ""
		switch b.typ {
		case audience.Number:
			b.f64[first+row], code = parseNumber(plain)
		case audience.Long:
			b.i64[first+row], code = parseLong(plain)
		case audience.Integer:
			b.i32[first+row], code = parseInteger(plain)
		}
		if code == "" && b.proposed && !keeps(b.typ, plain, false) {
			code = CodeProposed
		}
		if code != "" {
			bad.add(row, code)
		}
	}
}
