package value

import (
	"bytes"
	"math"

	"roster/internal/audience"
	"roster/internal/tabular"
)

// Append adds a row with a value given as text; empty text is null. number means that the text is a JSON number. If
// Append returns the code of a reject, the row exists and its value has no meaning.
func (b *Builder) Append(v []byte, number bool) (code string) {
	if b.Typ != audience.String {
		v = TrimSpaces(v)
	}
	if len(v) == 0 {
		b.AddNulls(1)
		return ""
	}
	row := b.Rows
	b.Extend(1)
	switch b.Typ {
	case audience.String:
		b.Text = append(b.Text, v...)
		b.Offsets[row+1] = int32(len(b.Text))
	case audience.Number:
		b.F64[row], code = ParseNumber(v)
	case audience.Long:
		b.I64[row], code = parseWhole(v, number)
	case audience.Integer:
		n, whole := parseWhole(v, number)
		if code = whole; code == "" && (n < math.MinInt32 || n > math.MaxInt32) {
			code = tabular.CodeRange
		}
		b.I32[row] = int32(n)
	case audience.Date:
		if b.I32[row], code = ParseDate(v); code == tabular.CodeType {
			b.I32[row], code = b.Patterns.Date(v)
		}
	case audience.DateTime:
		if b.I64[row], code = ParseDateTime(v); code == tabular.CodeType {
			b.I64[row], code = b.Patterns.DateTime(v)
		}
	case audience.Boolean:
		yes, not := ParseBoolean(v)
		SetBit(b.Bits, row, yes)
		code = not
	}
	if code == "" && b.Proposed && !IsLossless(b.Typ, v, number) {
		return tabular.CodeProposed
	}
	return code
}

// parseWhole parses a whole number. A JSON number may have a point or an exponent.
func parseWhole(v []byte, number bool) (n int64, code string) {
	n, code = ParseLong(v)
	if code == tabular.CodeType && number {
		return parseIntegral(v)
	}
	return n, code
}

// parseIntegral parses a JSON number that is exactly a whole number: 1.0, 1e3 and 1.5e1 are whole. A number with a
// fraction is TYPE.
func parseIntegral(v []byte) (n int64, code string) {
	mantissa, exponent := v, 0
	if e := bytes.IndexAny(v, "eE"); e >= 0 {
		mantissa, exponent = v[:e], parseExponent(v[e+1:])
	}
	unsigned := bytes.TrimPrefix(mantissa, []byte{'-'})
	whole, fraction, _ := bytes.Cut(unsigned, []byte{'.'})
	digit := func(i int) byte {
		switch {
		case i < len(whole):
			return whole[i]
		case i < len(whole)+len(fraction):
			return fraction[i-len(whole)]
		}
		return '0'
	}
	all, point := len(whole)+len(fraction), len(whole)+exponent
	first := 0
	for first < all && digit(first) == '0' {
		first++
	}
	if first == all {
		return 0, ""
	}
	for i := max(point, 0); i < all; i++ {
		if digit(i) != '0' {
			return 0, tabular.CodeType
		}
	}
	const most = len("9223372036854775807")
	if point-first > most {
		return 0, tabular.CodeRange
	}
	text := append(make([]byte, 0, 1+most), v[:len(mantissa)-len(unsigned)]...)
	for i := first; i < point; i++ {
		text = append(text, digit(i))
	}
	return ParseLong(text)
}

// parseExponent parses a sign and digits. It stops counting at an exponent that no row is long enough to need.
func parseExponent(v []byte) int {
	const most = 1 << 30
	n := 0
	for _, c := range bytes.TrimLeft(v, "+-") {
		n = min(10*n+int(c-'0'), most)
	}
	if v[0] == '-' {
		return -n
	}
	return n
}
