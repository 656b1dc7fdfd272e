package value

import (
	"bytes"

	"roster/internal/audience"
)

// IsLossless reports whether a value of a proposed type still equals the text after parsing. Nobody declared such a type, so
// it must not lose information. number means that the text is a number of JSON or Parquet.
func IsLossless(t audience.Type, v []byte, number bool) bool {
	switch t {
	case audience.Integer, audience.Long:
		return number || !hasMarks(v)
	case audience.Number:
		if surelyKept(v) {
			return true
		}
		if n, code := ParseLong(v); code == "" {
			return !hasMarks(v) && ExactDouble(n)
		}
		return plainNumber(v, number)
	case audience.DateTime:
		return microseconds(v)
	}
	return true
}

// hasMarks reports whether a whole number has a leading zero, a plus sign, or a minus before zero, which its value does
// not keep.
func hasMarks(v []byte) bool {
	digits := bytes.TrimPrefix(v, []byte{'-'})
	return v[0] == '+' || digits[0] == '0' && len(v) > 1
}

// surelyKept reports whether a double certainly keeps a number, as is true for most: at most exactDigits digits,
// perhaps with a minus before and a point between them, and no leading zero.
func surelyKept(v []byte) bool {
	digits := bytes.TrimPrefix(v, []byte{'-'})
	whole := 0
	for whole < len(digits) && digits[whole]-'0' <= 9 {
		whole++
	}
	if whole == 0 || digits[0] == '0' && (whole > 1 || whole == len(v)-1) { // includes "-0"
		return false
	}
	if whole == len(digits) {
		return whole <= exactDigits
	}
	fraction := digits[whole+1:]
	for _, c := range fraction {
		if c-'0' > 9 {
			return false
		}
	}
	return digits[whole] == '.' && len(fraction) > 0 && whole+len(fraction) <= exactDigits
}

// ExactDouble reports whether a double holds a whole number and its neighbours.
func ExactDouble(n int64) bool {
	const most = 1 << 53
	return -most <= n && n <= most
}
