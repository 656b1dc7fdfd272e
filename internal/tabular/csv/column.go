package csv

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"unicode/utf8"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/value"
)

// valueOf returns a field's value. It is valid until the next call.
func valueOf(b *value.Builder, k *block, f field) []byte {
	v := k.text[uint32(f):][:f<<1>>33]
	if f&escaped != 0 {
		v = unquoted(b, k.marks, v)
	}
	return v
}

// unquoted returns a quoted value with each pair of quotes reduced to one, and without the escapes.
func unquoted(b *value.Builder, d dialect, v []byte) []byte {
	b.Scratch = b.Scratch[:0]
	if d.escape != 0 {
		b.Scratch = d.unescape(b.Scratch, v)
		return b.Scratch
	}
	for {
		n := bytes.IndexByte(v, d.quote)
		b.Scratch = append(b.Scratch, v[:n+1]...)
		if n < 0 {
			b.Scratch = append(b.Scratch, v...)
			return b.Scratch
		}
		v = v[n+2:]
	}
}

// addColumn appends the rows of a block; column is the column of the file.
func addColumn(b *value.Builder, k *block, column int, bad *value.Faults) {
	if b.Commas && value.IsNumeric(b.Typ) {
		addCommaNumbers(b, k, column, bad)
		return
	}
	switch b.Typ {
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
	if b.Proposed {
		addLossy(b, k, column, bad)
	}
}

// short is the number of bytes that are copied at once, whatever the length of a text.
const short = 16

func addStrings(b *value.Builder, k *block, column int, bad *value.Faults) {
	first := b.Rows
	b.Extend(k.rows)
	offsets := b.Offsets[first+1:][:k.rows]
	at := len(b.Text)
	text := slices.Grow(b.Text, textSize(k, column)+short)
	text = text[:cap(text)]
	for row, i := 0, column; row < len(offsets); row, i = row+1, i+k.stride {
		f := k.fields[i]
		start, n := uint32(f), int(f>>32)
		switch {
		case n == 0:
			b.Null(first + row)
		case !k.valid && !utf8.Valid(valueOf(b, k, f)):
			bad.Add(row, tabular.CodeEncoding)
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
	b.Text = text[:at]
}

// textSize returns an upper bound of the text in a column of a block. It is exact, or the bounds of all columns
// together are at most cheap.
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

func addLongs(b *value.Builder, k *block, column int, bad *value.Faults) {
	first := b.Rows
	b.Extend(k.rows)
	values := b.I64[first:]
	for row, i := 0, column; row < len(values); row, i = row+1, i+k.stride {
		f := k.fields[i]
		if n := uint32(f >> 32); n-1 < 8 {
			if v, ok := value.EightDigits(binary.LittleEndian.Uint64(k.text[uint32(f):]), n); ok {
				values[row] = int64(v)
				continue
			}
		} else if n-9 < 8 {
			high, ok1 := value.EightDigits(binary.LittleEndian.Uint64(k.text[uint32(f):]), n-8)
			low, ok2 := value.EightDigits(binary.LittleEndian.Uint64(k.text[uint32(f)+n-8:]), 8)
			if ok1 && ok2 {
				values[row] = int64(high*1e8 + low)
				continue
			}
		}
		v := value.TrimSpaces(valueOf(b, k, f))
		if len(v) == 0 {
			values[row] = 0
			b.Null(first + row)
			continue
		}
		x, code := value.ParseLong(v)
		values[row] = x
		if code != "" {
			bad.Add(row, code)
		}
	}
}

func addIntegers(b *value.Builder, k *block, column int, bad *value.Faults) {
	first := b.Rows
	b.Extend(k.rows)
	values := b.I32[first:]
	for row, i := 0, column; row < len(values); row, i = row+1, i+k.stride {
		f := k.fields[i]
		if n := uint32(f >> 32); n-1 < 8 {
			if v, ok := value.EightDigits(binary.LittleEndian.Uint64(k.text[uint32(f):]), n); ok {
				values[row] = int32(v)
				continue
			}
		}
		v := value.TrimSpaces(valueOf(b, k, f))
		if len(v) == 0 {
			values[row] = 0
			b.Null(first + row)
			continue
		}
		x, code := value.ParseInteger(v)
		values[row] = x
		if code != "" {
			bad.Add(row, code)
		}
	}
}

func addNumbers(b *value.Builder, k *block, column int, bad *value.Faults) {
	first := b.Rows
	b.Extend(k.rows)
	values := b.F64[first:]
	for row, i := 0, column; row < len(values); row, i = row+1, i+k.stride {
		f := k.fields[i]
		start, n := uint32(f), uint32(f>>32)
		sign := uint64(0)
		if k.text[start] == '-' {
			sign = 1
		}
		start, n = start+uint32(sign), n-uint32(sign)
		if n-1 < 8 {
			if v, ok := value.ShortDecimal(binary.LittleEndian.Uint64(k.text[start:]), n); ok {
				values[row] = math.Float64frombits(math.Float64bits(v) | sign<<63)
				continue
			}
		}
		v := value.TrimSpaces(valueOf(b, k, f))
		if len(v) == 0 {
			values[row] = 0
			b.Null(first + row)
			continue
		}
		x, code := value.ParseNumber(v)
		values[row] = x
		if code != "" {
			bad.Add(row, code)
		}
	}
}

func addDates(b *value.Builder, k *block, column int, bad *value.Faults) {
	first := b.Rows
	b.Extend(k.rows)
	values := b.I32[first:]
	for row, i := 0, column; row < len(values); row, i = row+1, i+k.stride {
		v := value.TrimSpaces(valueOf(b, k, k.fields[i]))
		if len(v) == 0 {
			values[row] = 0
			b.Null(first + row)
			continue
		}
		x, code := value.ParseDate(v)
		if code == tabular.CodeType && len(b.Patterns) > 0 {
			x, code = b.Patterns.Date(v)
		}
		values[row] = x
		if code != "" {
			bad.Add(row, code)
		}
	}
}

func addDateTimes(b *value.Builder, k *block, column int, bad *value.Faults) {
	first := b.Rows
	b.Extend(k.rows)
	values := b.I64[first:]
	for row, i := 0, column; row < len(values); row, i = row+1, i+k.stride {
		v := value.TrimSpaces(valueOf(b, k, k.fields[i]))
		if len(v) == 0 {
			values[row] = 0
			b.Null(first + row)
			continue
		}
		x, code := value.ParseDateTime(v)
		if code == tabular.CodeType && len(b.Patterns) > 0 {
			x, code = b.Patterns.DateTime(v)
		}
		values[row] = x
		if code != "" {
			bad.Add(row, code)
		}
	}
}

func addBooleans(b *value.Builder, k *block, column int, bad *value.Faults) {
	first := b.Rows
	b.Extend(k.rows)
	for row, i := 0, column; row < k.rows; row, i = row+1, i+k.stride {
		v := value.TrimSpaces(valueOf(b, k, k.fields[i]))
		if len(v) == 0 {
			b.Null(first + row)
			continue
		}
		x, code := value.ParseBoolean(v)
		if x {
			b.Bits[(first+row)/8] |= 1 << ((first + row) % 8)
		}
		if code != "" {
			bad.Add(row, code)
		}
	}
}

// emptyNulls empties the values of a column that equal one of texts, so that they are null in every type.
func emptyNulls(b *value.Builder, k *block, column int, texts []string) {
	for i := column; i < k.rows*k.stride; i += k.stride {
		f := k.fields[i]
		if value.IsOneOf(valueOf(b, k, f), texts) {
			k.fields[i] = fieldAt(int(uint32(f)), int(uint32(f)))
		}
	}
}

// addIdentities adds a fault for each row whose value is not an identity.
func addIdentities(b *value.Builder, k *block, column int, c *tabular.Column, bad *value.Faults) {
	for row, i := 0, column; row < k.rows; row, i = row+1, i+k.stride {
		if code, reason := value.NoIdentity(c, valueOf(b, k, k.fields[i])); code != "" {
			bad.Refuse(row, code, reason)
		}
	}
}

// addLossy adds a fault for each row of a block whose value a proposed type does not keep; column is the column of the file.
func addLossy(b *value.Builder, k *block, column int, bad *value.Faults) {
	whole := b.Typ == audience.Integer || b.Typ == audience.Long
	if b.Typ == audience.Boolean || b.Typ == audience.Date { // which lose nothing
		return
	}
	for row, i := 0, column; row < k.rows; row, i = row+1, i+k.stride {
		if whole && k.text[uint32(k.fields[i])]-'1' <= '9'-'1' { // most whole numbers, which the first digit shows to be kept
			continue
		}
		if v := value.TrimSpaces(valueOf(b, k, k.fields[i])); len(v) > 0 && !bad.Bad[row] && !value.IsLossless(b.Typ, v, false) {
			bad.Add(row, tabular.CodeProposed)
		}
	}
}

// addCommaNumbers adds the rows of a block whose numbers have decimal commas.
func addCommaNumbers(b *value.Builder, k *block, column int, bad *value.Faults) {
	first := b.Rows
	b.AddNulls(k.rows)
	var plain []byte
	for row, i := 0, column; row < k.rows; row, i = row+1, i+k.stride {
		v := value.TrimSpaces(valueOf(b, k, k.fields[i]))
		if len(v) == 0 {
			continue
		}
		b.Valid[(first+row)/8] |= 1 << ((first + row) % 8)
		b.Nulls--
		var ok bool
		if plain, ok = value.WithPoint(plain[:0], v); !ok {
			bad.Add(row, tabular.CodeType)
			continue
		}
		code := ""
		switch b.Typ {
		case audience.Number:
			b.F64[first+row], code = value.ParseNumber(plain)
		case audience.Long:
			b.I64[first+row], code = value.ParseLong(plain)
		case audience.Integer:
			b.I32[first+row], code = value.ParseInteger(plain)
		}
		if code == "" && b.Proposed && !value.IsLossless(b.Typ, plain, false) {
			code = tabular.CodeProposed
		}
		if code != "" {
			bad.Add(row, code)
		}
	}
}
