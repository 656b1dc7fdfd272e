package value

import (
	"bytes"
	"encoding/binary"
	"time"

	"roster/internal/tabular"
)

// ParseDate parses YYYY-MM-DD of the Gregorian calendar, years 0001 to 9999, to days since 1970-01-01.
func ParseDate(b []byte) (days int32, code string) {
	if len(b) != len("2006-01-02") {
		return 0, tabular.CodeType
	}
	const pattern = 0x2d30302d30303030 // 0000-00-
	w := binary.LittleEndian.Uint64(b) ^ pattern
	tens, ones := b[8]-'0', b[9]-'0'
	// Digits are now at most 9, dashes are 0.
	if (w+0x7f76767f76767676|w)&HighBits != 0 || tens > 9 || ones > 9 {
		return 0, tabular.CodeType
	}
	year := w&0xff*1000 + w>>8&0xff*100 + w>>16&0xff*10 + w>>24&0xff
	month := w>>40&0xff*10 + w>>48&0xff
	return civil(int(year), int(month), int(tens)*10+int(ones))
}

// civil returns the days from 1970-01-01 to a date; year is 0 to 9999, month and day are 0 to 99.
func civil(year, month, day int) (days int32, code string) {
	months := &leapMonths[years[year]&1]
	if month > 12 || day == 0 || day > int(months[(month+1)&15]-months[month&15]) {
		return 0, tabular.CodeType
	}
	if year == 0 {
		return 0, tabular.CodeRange
	}
	return years[year]>>1 + int32(months[month&15]) + int32(day-1), ""
}

// leapMonths are the numbers of days before each month, for years without and with a leap day. The month 0 has no days.
var leapMonths = [2][16]int16{
	{0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365},
	{0, 0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366},
}

// years has, for each year of the Gregorian calendar, the days from 1970-01-01 to its first day, doubled, plus 1 in a
// leap year. So a date is parsed without a branch for leap years.
var years = func() (table [10_000]int32) {
	days := int32(-719528) // 0000-01-01
	for y := range int32(len(table)) {
		table[y] = 2 * days
		days += 365
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			table[y]++
			days++
		}
	}
	return table
}()

const MicrosPerDay = int64(24 * time.Hour / time.Microsecond)

// ParseDateTime parses an ISO 8601 date and time to microseconds since 1970-01-01 UTC. After the date there may be T, t
// or a space, hh:mm, seconds, a fraction of 1 to 9 digits (cut to microseconds), and Z or an offset. Without an offset
// the time is UTC. A date alone means its midnight.
func ParseDateTime(b []byte) (micros int64, code string) {
	const date = len("2006-01-02")
	if len(b) < date {
		return 0, tabular.CodeType
	}
	days, code := ParseDate(b[:date])
	micros = int64(days) * MicrosPerDay
	if code == tabular.CodeType || len(b) == date {
		return micros, code
	}
	if b[date] != 'T' && b[date] != 't' && b[date] != ' ' {
		return 0, tabular.CodeType
	}
	clock, rest, ok := parseClock(b[date+1:])
	if !ok {
		return 0, tabular.CodeType
	}
	offset, ok := parseZone(rest)
	if !ok {
		return 0, tabular.CodeType
	}
	if code != "" {
		return 0, code
	}
	return InRange(micros + clock - offset)
}

// InRange returns an instant, or RANGE if its year in UTC is not 1 to 9999.
func InRange(micros int64) (int64, string) {
	const first, end = -719162, 2932897 // days of 0001-01-01 and 10000-01-01
	if micros < first*MicrosPerDay || micros >= end*MicrosPerDay {
		return 0, tabular.CodeRange
	}
	return micros, ""
}

// parseClock parses hh:mm, hh:mm:ss, or hh:mm:ss and a fraction. It returns microseconds and the rest.
func parseClock(b []byte) (micros int64, rest []byte, ok bool) {
	if len(b) >= len("15:04:05") {
		const pattern = 0x30303a30303a3030 // 00:00:00
		w := binary.LittleEndian.Uint64(b) ^ pattern
		if (w+0x76767f76767f7676|w)&HighBits == 0 {
			hour, minute, second := w&0xff*10+w>>8&0xff, w>>24&0xff*10+w>>32&0xff, w>>48&0xff*10+w>>56
			if hour > 23 || minute > 59 || second > 59 {
				return 0, nil, false
			}
			fraction, rest, ok := parseFraction(b[8:])
			return int64(hour*3600+minute*60+second)*1e6 + fraction, rest, ok
		}
	}
	if len(b) < len("15:04") || b[2] != ':' {
		return 0, nil, false
	}
	hour, ok1 := twoDigits(b)
	minute, ok2 := twoDigits(b[3:])
	if !ok1 || !ok2 || hour > 23 || minute > 59 {
		return 0, nil, false
	}
	return int64(hour*3600+minute*60) * 1e6, b[5:], true
}

func twoDigits(b []byte) (v int, ok bool) {
	if len(b) < 2 {
		return 0, false
	}
	tens, ones := b[0]-'0', b[1]-'0'
	return int(tens)*10 + int(ones), tens <= 9 && ones <= 9
}

// parseFraction parses an optional dot or comma with 1 to 9 digits. It returns microseconds and the rest.
func parseFraction(b []byte) (micros int64, rest []byte, ok bool) {
	if len(b) == 0 || (b[0] != '.' && b[0] != ',') {
		return 0, b, true
	}
	b = b[1:]
	scale, n := int64(100_000), 0
	for n < len(b) && b[n]-'0' <= 9 {
		micros += int64(b[n]-'0') * scale
		scale /= 10
		n++
	}
	return micros, b[n:], 1 <= n && n <= 9
}

// parseZone parses an offset, perhaps after a space, and UTC or GMT, which databases and programs write alone or after
// the offset: 00:00:00 UTC, 00:00:00 +0200, 00:00:00 +0000 UTC.
func parseZone(b []byte) (micros int64, ok bool) {
	if len(b) == 0 {
		return 0, true
	}
	b = bytes.TrimPrefix(b, []byte{' '})
	name := 0
	if at := len(b) - len("UTC"); at >= 0 && (bytes.EqualFold(b[at:], []byte("UTC")) || bytes.EqualFold(b[at:], []byte("GMT"))) {
		name = len("UTC")
		if b = b[:at]; at > 1 && b[at-1] == ' ' {
			b = b[:at-1]
		}
	}
	if len(b) == 0 {
		return 0, name > 0
	}
	micros, ok = parseOffset(b)
	return micros, ok && (name == 0 || micros == 0)
}

// parseOffset parses Z, ±hh, ±hhmm or ±hh:mm to microseconds east of UTC; empty text is UTC.
func parseOffset(b []byte) (micros int64, ok bool) {
	if len(b) == 0 || len(b) == 1 && (b[0] == 'Z' || b[0] == 'z') {
		return 0, true
	}
	hour, ok := twoDigits(b[1:])
	if !ok || (b[0] != '+' && b[0] != '-') {
		return 0, false
	}
	minute, rest := 0, b[3:]
	if len(rest) > 0 {
		if rest[0] == ':' {
			rest = rest[1:]
		}
		if minute, ok = twoDigits(rest); !ok || len(rest) != 2 {
			return 0, false
		}
	}
	if hour > 23 || minute > 59 {
		return 0, false
	}
	micros = int64(hour*3600+minute*60) * 1e6
	if b[0] == '-' {
		micros = -micros
	}
	return micros, true
}
