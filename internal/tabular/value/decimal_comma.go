package value

import (
	"bytes"
	"slices"

	"roster/internal/audience"
)

func IsNumeric(t audience.Type) bool {
	return t == audience.Number || t == audience.Long || t == audience.Integer
}

// groupMarks separate groups of three digits in numbers with decimal commas.
var groupMarks = []string{".", "'", "\u2019", " ", "\u00a0", "\u202f"}

// WithPoint appends to dst a number with a decimal comma, converted to a point and without groups; ok is false for
// other texts. The text is not empty.
func WithPoint(dst, v []byte) (out []byte, ok bool) {
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

// digitsOf returns the number of digits at the beginning of a text.
func digitsOf(v []byte) int {
	if n := slices.IndexFunc(v, func(c byte) bool { return c-'0' > 9 }); n >= 0 {
		return n
	}
	return len(v)
}

// groupMark returns the separator of groups of digits at the beginning of a text, "" if there is none.
func groupMark(v []byte) string {
	for _, mark := range groupMarks {
		if bytes.HasPrefix(v, []byte(mark)) {
			return mark
		}
	}
	return ""
}
