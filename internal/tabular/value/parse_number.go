package value

import (
	"errors"
	"math"
	"math/bits"
	"strconv"
	"unsafe"

	"roster/internal/tabular"
)

// The parsers accept a non-empty value without surrounding spaces, and return "" or the code of the reject.

// EightDigits parses n decimal digits, 1 to 8, in the first bytes of w, without a loop: it combines bytes to pairs,
// pairs to fours, fours to eight.
func EightDigits(w uint64, n uint32) (v uint64, ok bool) {
	shift := (64 - 8*n) & 63
	w = w<<shift ^ 0x3030303030303030<<shift
	ok = (w+0x7676767676767676|w)&HighBits == 0
	w = w*10 + w>>8
	return (w&0x000000ff000000ff*0x000f424000000064 + w>>16&0x000000ff000000ff*0x0000271000000001) >> 32, ok
}

// ParseLong parses an optional sign and decimal digits.
func ParseLong(b []byte) (v int64, code string) {
	neg := false
	if b[0] == '-' || b[0] == '+' {
		neg = b[0] == '-'
		b = b[1:]
	}
	if len(b) == 0 {
		return 0, tabular.CodeType
	}
	n, over := uint64(0), false
	for _, c := range b {
		d := c - '0'
		if d > 9 {
			return 0, tabular.CodeType
		}
		if n > (math.MaxUint64-9)/10 {
			over = true
		}
		n = n*10 + uint64(d)
	}
	switch {
	case over:
		return 0, tabular.CodeRange
	case neg && n <= 1<<63:
		return -int64(n), ""
	case !neg && n < 1<<63:
		return int64(n), ""
	}
	return 0, tabular.CodeRange
}

// ParseInteger parses a whole number of 32 bits.
func ParseInteger(b []byte) (v int32, code string) {
	n, code := ParseLong(b)
	if code == "" && (n < math.MinInt32 || n > math.MaxInt32) {
		return 0, tabular.CodeRange
	}
	return int32(n), code
}

// powers are the powers of ten that are exact doubles.
var powers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// ShortDecimal parses a decimal number of n bytes, 1 to 8, in the first bytes of w, without sign or exponent. The
// digits and the power of ten are exact doubles, so one division rounds correctly.
func ShortDecimal(w uint64, n uint32) (v float64, ok bool) {
	fraction := uint32(0)
	point := w ^ '.'*EachByte
	point = (point - EachByte) & ^point & HighBits & (1<<(8*n-1)<<1 - 1)
	if point != 0 {
		at := uint32(bits.TrailingZeros64(point)) &^ 7 // the first point; a second one is not a digit
		low := uint64(1)<<at - 1
		w = w&low | w>>8&^low
		n--
		if n == 0 {
			return 0, false
		}
		fraction = n - at/8
	}
	whole, ok := EightDigits(w, n)
	return float64(whole) / powers[fraction&7], ok
}

// ParseNumber parses a decimal number, with or without an exponent, to the nearest double. Words such as NaN,
// hexadecimal numbers and underscores are not numbers.
func ParseNumber(b []byte) (v float64, code string) {
	i, neg := 0, false
	if b[0] == '-' || b[0] == '+' {
		neg = b[0] == '-'
		i++
	}
	mantissa, digits, fraction, point, seen := uint64(0), 0, 0, false, false
	for ; i < len(b); i++ {
		c := b[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if c-'0' > 9 {
			break
		}
		seen = true
		if digits < 19 {
			mantissa = mantissa*10 + uint64(c-'0')
		}
		if mantissa > 0 {
			digits++
		}
		if point {
			fraction++
		}
	}
	if !seen || i < len(b) && !isExponent(b[i:]) {
		return 0, tabular.CodeType
	}
	if i == len(b) && digits <= 15 && fraction < len(powers) {
		v = float64(mantissa) / powers[fraction] // exact as in ShortDecimal
		if neg {
			v = -v
		}
		return v, ""
	}
	v, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(b), len(b)), 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, tabular.CodeRange
	case err != nil:
		return 0, tabular.CodeType
	}
	return v, ""
}

// isExponent reports whether b is e or E, an optional sign and digits.
func isExponent(b []byte) bool {
	if b[0] != 'e' && b[0] != 'E' {
		return false
	}
	b = b[1:]
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		b = b[1:]
	}
	for _, c := range b {
		if c-'0' > 9 {
			return false
		}
	}
	return len(b) > 0
}

// TrimSpaces removes spaces and tabs around a value.
func TrimSpaces(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}
