package tabular

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"time"
	"unsafe"

	"roster/internal/audience"
)

// Errors of a value; the reject's reason names the rule.
var (
	errType  = errors.New("type")
	errRange = errors.New("range")
)

// rule says what a value of a type looks like.
func rule(t audience.Type) string {
	switch t {
	case audience.Integer:
		return "a whole number of 32 bits"
	case audience.Long:
		return "a whole number of 64 bits"
	case audience.Number:
		return "a decimal number"
	case audience.Boolean:
		return "true/false, 1/0, yes/no, t/f or y/n"
	case audience.Date:
		return "a date such as 2025-05-13"
	case audience.DateTime:
		return "a date and time such as 2025-05-23T20:19:00+00:00"
	}
	return "text"
}

// parseLong parses an optional sign and decimal digits.
func parseLong(b []byte) (int64, error) {
	neg := false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		neg = b[0] == '-'
		b = b[1:]
	}
	if len(b) == 0 {
		return 0, errType
	}
	n, over := uint64(0), false
	for _, c := range b {
		d := c - '0'
		if d > 9 {
			return 0, errType
		}
		if n > (math.MaxUint64-9)/10 {
			over = true
		}
		n = n*10 + uint64(d)
	}
	switch {
	case over:
		return 0, errRange
	case neg && n <= 1<<63:
		return -int64(n), nil
	case !neg && n < 1<<63:
		return int64(n), nil
	}
	return 0, errRange
}

// parseInteger parses a whole number of 32 bits.
func parseInteger(b []byte) (int32, error) {
	n, err := parseLong(b)
	if err == nil && (n < math.MinInt32 || n > math.MaxInt32) {
		err = errRange
	}
	return int32(n), err
}

var pow10 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// parseNumber parses a decimal number, with or without an exponent, to the nearest double. Words such as NaN,
// hexadecimal numbers and underscores are no numbers.
func parseNumber(b []byte) (float64, error) {
	i, neg := 0, false
	if i < len(b) && (b[i] == '-' || b[i] == '+') {
		neg = b[i] == '-'
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
	if !seen {
		return 0, errType
	}
	if i == len(b) && digits <= 15 && fraction < len(pow10) {
		// Both are exact doubles, so one division rounds correctly.
		f := float64(mantissa) / pow10[fraction]
		if neg {
			f = -f
		}
		return f, nil
	}
	if i < len(b) && !isExponent(b[i:]) {
		return 0, errType
	}
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(b), len(b)), 64)
	if errors.Is(err, strconv.ErrRange) {
		return 0, errRange
	}
	if err != nil {
		return 0, errType
	}
	return f, nil
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

// parseBoolean parses the words of the contract, in any case.
func parseBoolean(b []byte) (bool, error) {
	switch len(b) {
	case 1:
		switch b[0] | 0x20 {
		case 't', 'y':
			return true, nil
		case 'f', 'n':
			return false, nil
		}
		switch b[0] {
		case '1':
			return true, nil
		case '0':
			return false, nil
		}
	case 2, 3, 4, 5:
		for _, w := range booleanWords {
			if bytes.EqualFold(b, w.text) {
				return w.value, nil
			}
		}
	}
	return false, errType
}

var booleanWords = []struct {
	text  []byte
	value bool
}{{[]byte("true"), true}, {[]byte("false"), false}, {[]byte("yes"), true}, {[]byte("no"), false}}

// digits parses exactly n decimal digits.
func digits(b []byte, n int) (v int, ok bool) {
	if len(b) < n {
		return 0, false
	}
	for _, c := range b[:n] {
		d := c - '0'
		if d > 9 {
			return 0, false
		}
		v = v*10 + int(d)
	}
	return v, true
}

// parseDate parses YYYY-MM-DD of the Gregorian calendar, years 0001 to 9999, to days since 1970-01-01.
func parseDate(b []byte) (int32, error) {
	if len(b) != 10 || b[4] != '-' || b[7] != '-' {
		return 0, errType
	}
	y, ok1 := digits(b, 4)
	m, ok2 := digits(b[5:], 2)
	d, ok3 := digits(b[8:], 2)
	if !ok1 || !ok2 || !ok3 {
		return 0, errType
	}
	if y < 1 || m < 1 || m > 12 || d < 1 || d > daysIn(y, m) {
		return 0, errRange
	}
	return int32(daysFromCivil(y, m, d)), nil
}

func daysIn(y, m int) int {
	switch m {
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysFromCivil counts the days from 1970-01-01 to a date of the Gregorian calendar: a year is taken to begin in
// March, so that the leap day is its last.
func daysFromCivil(y, m, d int) int {
	if m <= 2 {
		y--
		m += 12
	}
	era := y / 400
	yearOfEra := y - era*400
	dayOfYear := (153*(m-3)+2)/5 + d - 1
	return era*146097 + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - 719468
}

// parseDateTime parses an ISO 8601 date and time to microseconds since 1970-01-01 UTC. The date may be followed
// by T, t or a space and hh:mm, seconds, a fraction (cut to microseconds) and Z or an offset; without an offset
// the time is UTC, and a date alone is its midnight.
func parseDateTime(b []byte) (int64, error) {
	if len(b) < 10 {
		return 0, errType
	}
	days, err := parseDate(b[:10])
	if err != nil {
		return 0, err
	}
	us := int64(days) * int64(24*time.Hour/time.Microsecond)
	if len(b) == 10 {
		return us, nil
	}
	if (b[10] != 'T' && b[10] != 't' && b[10] != ' ') || len(b) < 16 || b[13] != ':' {
		return 0, errType
	}
	h, ok1 := digits(b[11:], 2)
	m, ok2 := digits(b[14:], 2)
	if !ok1 || !ok2 {
		return 0, errType
	}
	b = b[16:]
	s, frac := 0, int64(0)
	if len(b) > 0 && b[0] == ':' {
		var ok bool
		if s, ok = digits(b[1:], 2); !ok {
			return 0, errType
		}
		b = b[3:]
		if frac, b, err = parseFraction(b); err != nil {
			return 0, err
		}
	}
	offset, err := parseOffset(b)
	if err != nil {
		return 0, err
	}
	if h > 23 || m > 59 || s > 59 {
		return 0, errRange
	}
	return us + (int64(h)*3600+int64(m)*60+int64(s)-int64(offset))*1e6 + frac, nil
}

// parseFraction parses a dot or comma and digits; it returns microseconds and what follows.
func parseFraction(b []byte) (us int64, rest []byte, err error) {
	if len(b) == 0 || (b[0] != '.' && b[0] != ',') {
		return 0, b, nil
	}
	b = b[1:]
	scale, n := int64(100_000), 0
	for n < len(b) && b[n]-'0' <= 9 {
		us += int64(b[n]-'0') * scale
		scale /= 10
		n++
	}
	if n == 0 {
		return 0, nil, errType
	}
	return us, b[n:], nil
}

// parseOffset parses Z, ±hh, ±hhmm or ±hh:mm to seconds east of UTC; nothing is UTC.
func parseOffset(b []byte) (int, error) {
	if len(b) == 0 || (len(b) == 1 && (b[0] == 'Z' || b[0] == 'z')) {
		return 0, nil
	}
	sign := 1
	switch b[0] {
	case '-':
		sign = -1
	case '+':
	default:
		return 0, errType
	}
	b = b[1:]
	h, ok := digits(b, 2)
	if !ok {
		return 0, errType
	}
	b = b[2:]
	if len(b) > 0 && b[0] == ':' {
		if b = b[1:]; len(b) != 2 {
			return 0, errType
		}
	}
	m := 0
	if len(b) > 0 {
		if m, ok = digits(b, 2); !ok || len(b) != 2 {
			return 0, errType
		}
	}
	if h > 23 || m > 59 {
		return 0, errRange
	}
	return sign * (h*3600 + m*60), nil
}

// trimSpaces cuts spaces and tabs around a value.
func trimSpaces(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}
