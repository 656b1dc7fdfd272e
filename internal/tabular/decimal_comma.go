package tabular

import (
	"bytes"
	"slices"

	"roster/internal/audience"
)

func isNumeric(t audience.Type) bool {
	return t == audience.Number || t == audience.Long || t == audience.Integer
}

// addCommaNumbers adds the rows of a block whose numbers are written with decimal commas.
func (b *builder) addCommaNumbers(k *block, column int, bad *faults) {
	first := b.rows
	b.addNulls(k.rows)
	var plain []byte
	for row, i := 0, column; row < k.rows; row, i = row+1, i+k.stride {
		v := trimSpaces(b.value(k, k.fields[i]))
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

// groupMarks part groups of three digits in numbers with decimal commas.
var groupMarks = []string{".", "'", "\u2019", " ", "\u00a0", "\u202f"}

// withPoint appends to dst a number with a decimal comma as it is with a point and without groups; ok is false for other texts.
// The text is not empty.
func withPoint(dst, v []byte) (out []byte, ok bool) {
	if v[0] == '-' || v[0] == '+' {
		dst, v = append(dst, v[0]), v[1:]
	}
	digits := digitsOf(v)
	dst, v = append(dst, v[:digits]...), v[digits:]
	if mark := groupMark(v); mark != "" {
		if digits < 1 || digits > 3 || dst[len(dst)-digits] == '0' {
			return dst, false
		}
		for bytes.HasPrefix(v, []byte(mark)) {
			v = v[len(mark):]
			if digitsOf(v) != 3 {
				return dst, false
			}
			dst, v = append(dst, v[:3]...), v[3:]
		}
	}
	if len(v) > 0 && v[0] == ',' {
		n := digitsOf(v[1:])
		if n == 0 && digits == 0 {
			return dst, false
		}
		dst, v = append(append(dst, '.'), v[1:1+n]...), v[1+n:]
	} else if digits == 0 {
		return dst, false
	}
	return append(dst, v...), len(v) == 0 || isExponent(v)
}

// digitsOf returns how many digits a text begins with.
func digitsOf(v []byte) int {
	if n := slices.IndexFunc(v, func(c byte) bool { return c-'0' > 9 }); n >= 0 {
		return n
	}
	return len(v)
}

// groupMark returns the mark between groups of digits that a text begins with, "" for none.
func groupMark(v []byte) string {
	for _, mark := range groupMarks {
		if bytes.HasPrefix(v, []byte(mark)) {
			return mark
		}
	}
	return ""
}
