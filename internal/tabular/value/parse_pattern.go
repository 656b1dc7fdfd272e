package value

import (
	"roster/internal/audience"
	"roster/internal/tabular"
)

// DatePatterns are declared patterns of dates and times, in the order in which they are tried.
type DatePatterns [][]audience.DatePart

func NewDatePatterns(formats []string) (DatePatterns, error) {
	var list DatePatterns
	for _, f := range formats {
		parts, err := audience.ParseDatePattern(f)
		if err != nil {
			return nil, err
		}
		list = append(list, parts)
	}
	return list, nil
}

// Date parses a value with the first pattern that matches, to the local days since 1970-01-01. A time of day in it must
// be midnight.
func (list DatePatterns) Date(v []byte) (days int32, code string) {
	for _, parts := range list {
		if m, ok := momentOf(parts, v); ok && m.clock() == 0 {
			return civil(m.year, m.month, m.day)
		}
	}
	return 0, tabular.CodeType
}

// DateTime parses a value with the first pattern that matches, to microseconds since 1970-01-01 UTC. Without an offset
// the time is UTC; without a time of day it is midnight.
func (list DatePatterns) DateTime(v []byte) (micros int64, code string) {
	for _, parts := range list {
		if m, ok := momentOf(parts, v); ok {
			days, code := civil(m.year, m.month, m.day)
			if code == "" {
				micros, code = InRange(int64(days)*MicrosPerDay + m.clock() - m.offset)
			}
			return micros, code
		}
	}
	return 0, tabular.CodeType
}

// moment is the result of parsing a value with a pattern.
type moment struct {
	year, month, day     int
	hour, minute, second int
	micros, offset       int64 // of the second; east of UTC
	half                 halfDay
}

// halfDay is what AM and PM add to an hour of 12.
type halfDay int8

const (
	wholeDay halfDay = iota
	morning
	afternoon
)

// clock returns the time of day in microseconds.
func (m *moment) clock() int64 {
	hour := m.hour
	if m.half != wholeDay {
		hour %= 12
	}
	if m.half == afternoon {
		hour += 12
	}
	return int64(hour*3600+m.minute*60+m.second)*1e6 + m.micros
}

// momentOf parses a value with a pattern; ok is false if the value does not match to the last byte, or its day or time
// does not exist.
func momentOf(parts []audience.DatePart, v []byte) (m moment, ok bool) {
	for i := range parts {
		if v, ok = m.take(&parts[i], v); !ok {
			return m, false
		}
	}
	if len(v) > 0 {
		return m, false
	}
	_, code := civil(m.year, m.month, m.day)
	return m, code != tabular.CodeType
}

// take parses one part of a pattern at the beginning of v and returns the rest.
func (m *moment) take(p *audience.DatePart, v []byte) (rest []byte, ok bool) {
	switch p.Letter {
	case 0:
		if len(v) < len(p.Text) || string(v[:len(p.Text)]) != p.Text {
			return nil, false
		}
		return v[len(p.Text):], true
	case 'y':
		m.year, rest, ok = digits(v, p.Count, p.Count)
		if p.Count == 2 {
			m.year = 1970 + (m.year+30)%100
		}
	case 'M':
		switch p.Count {
		case 3:
			m.month, rest, ok = monthName(v, 3)
			return rest, ok
		case 4:
			m.month, rest, ok = monthName(v, len("September"))
			return rest, ok
		}
		m.month, rest, ok = digits(v, p.Count, 2)
	case 'd':
		m.day, rest, ok = digits(v, p.Count, 2)
	case 'H':
		m.hour, rest, ok = digits(v, p.Count, 2)
		ok = ok && m.hour <= 23
	case 'h':
		m.hour, rest, ok = digits(v, p.Count, 2)
		ok = ok && 1 <= m.hour && m.hour <= 12
	case 'm':
		m.minute, rest, ok = digits(v, p.Count, 2)
		ok = ok && m.minute <= 59
	case 's':
		m.second, rest, ok = digits(v, p.Count, 2)
		ok = ok && m.second <= 59
	case 'S':
		m.micros, rest, ok = fraction(v, p.Count)
	case 'a':
		m.half, rest, ok = half(v)
	case 'X':
		m.offset, rest, ok = zone(v, p.Count)
	}
	return rest, ok
}

// digits parses a number of least to most digits, as many as there are.
func digits(v []byte, least, most int) (n int, rest []byte, ok bool) {
	i := 0
	for ; i < len(v) && i < most && v[i]-'0' <= 9; i++ {
		n = 10*n + int(v[i]-'0')
	}
	return n, v[i:], i >= least
}

// fraction parses exactly n digits of a fraction of a second, cut to microseconds.
func fraction(v []byte, n int) (micros int64, rest []byte, ok bool) {
	value, rest, ok := digits(v, n, n)
	micros = int64(value)
	for ; n < 6; n++ {
		micros *= 10
	}
	for ; n > 6; n-- {
		micros /= 10
	}
	return micros, rest, ok
}

var monthNames = [...]string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}

// monthName parses a month's English name, or its first letters, at most most, in any case.
func monthName(v []byte, most int) (month int, rest []byte, ok bool) {
	for i, name := range monthNames {
		name = name[:min(len(name), most)]
		if len(v) >= len(name) && isLetters(v[:len(name)], name) {
			return i + 1, v[len(name):], true
		}
	}
	return 0, nil, false
}

// isLetters reports whether a text equals the given lower-case letters, in any case.
func isLetters(v []byte, lower string) bool {
	for i, c := range v {
		if c|0x20 != lower[i] {
			return false
		}
	}
	return true
}

// half parses AM or PM, in any case.
func half(v []byte) (h halfDay, rest []byte, ok bool) {
	if len(v) < 2 || v[1]|0x20 != 'm' {
		return wholeDay, nil, false
	}
	switch v[0] | 0x20 {
	case 'a':
		return morning, v[2:], true
	case 'p':
		return afternoon, v[2:], true
	}
	return wholeDay, nil, false
}

// zone parses Z or an offset in microseconds: ±hh, ±hhmm and ±hh:mm for a count of 1, 2 and 3.
func zone(v []byte, count int) (offset int64, rest []byte, ok bool) {
	if len(v) > 0 && v[0] == 'Z' {
		return 0, v[1:], true
	}
	n := [...]int{1: len("+00"), 2: len("+0000"), 3: len("+00:00")}[count]
	if len(v) < n || count == 3 && v[3] != ':' {
		return 0, nil, false
	}
	offset, ok = parseOffset(v[:n])
	return offset, v[n:], ok
}
