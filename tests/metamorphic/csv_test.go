package metamorphic

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/encoding/unicode"

	"roster/internal/audience"
)

// csvDialect is a way to write CSV.
type csvDialect struct {
	delimiter  string
	quote      string
	escape     string // before a quote or an escape inside quotes; "" doubles quotes
	quoteAll   bool
	end        string // of a line
	headerless bool   // without a header, with the fields in their order
	first      string // before the header, such as a byte order mark
	null       string // unquoted text for null
	date       string // layout of dates; "" is ISO 8601
	utf16      unicode.Endianness
	encode     bool // in utf16, with a byte order mark unless first is empty
}

// write writes rows in the dialect. Details without meaning are random: the order of columns, extra columns, the case
// of names, and the spelling of values.
func (d csvDialect) write(rnd *rand.Rand, rows []row) []byte {
	columns := rnd.Perm(len(fields) + 1) // the last one belongs to no field
	if d.headerless {
		columns = columns[:len(fields)]
		for i := range columns {
			columns[i] = i
		}
	}
	var b bytes.Buffer
	b.WriteString(d.first)
	if !d.headerless {
		d.record(&b, columns, func(i int) (string, bool) { return columnName(rnd, i), false })
	}
	for _, r := range rows {
		d.record(&b, columns, func(i int) (string, bool) {
			if i == len(fields) {
				return "whatever", false
			}
			return d.text(rnd, r[i])
		})
	}
	if !d.encode {
		return b.Bytes()
	}
	text, err := unicode.UTF16(d.utf16, unicode.IgnoreBOM).NewEncoder().Bytes(b.Bytes())
	if err != nil {
		panic(err)
	}
	return text
}

// columnName returns a random spelling of a column's name.
func columnName(rnd *rand.Rand, i int) string {
	if i == len(fields) {
		return "nobody's"
	}
	name := fields[i].Name
	switch rnd.IntN(4) {
	case 0:
		name = strings.ToUpper(name)
	case 1:
		name = " " + name + "  "
	}
	return name
}

// record writes one record; null is a text that must not be quoted.
func (d csvDialect) record(b *bytes.Buffer, columns []int, text func(i int) (s string, null bool)) {
	for n, i := range columns {
		if n > 0 {
			b.WriteString(d.delimiter)
		}
		s, null := text(i)
		if null || !d.quoteAll && !d.needsQuotes(s) {
			b.WriteString(s)
			continue
		}
		b.WriteString(d.quote + d.quoted(s) + d.quote)
	}
	b.WriteString(d.end)
}

// needsQuotes reports whether a text without quotes would be read differently.
func (d csvDialect) needsQuotes(s string) bool {
	if strings.HasPrefix(s, "\ufeff") || strings.HasPrefix(s, "\x1a") {
		return true // in the first column it would be a byte order mark
	}
	return strings.Contains(s, d.delimiter) || strings.ContainsAny(s, "\r\n"+d.quote) || s == d.null && s != ""
}

func (d csvDialect) quoted(s string) string {
	if d.escape == "" {
		return strings.ReplaceAll(s, d.quote, d.quote+d.quote)
	}
	s = strings.ReplaceAll(s, d.escape, d.escape+d.escape)
	return strings.ReplaceAll(s, d.quote, d.escape+d.quote)
}

// text returns a random spelling of a value.
func (d csvDialect) text(rnd *rand.Rand, v any) (s string, null bool) {
	switch v := v.(type) {
	case nil:
		return d.null, true
	case string:
		return v, false
	case int64:
		s = strconv.FormatInt(v, 10)
	case float64:
		s = spellNumber(rnd, v)
	case bool:
		s = spellBoolean(rnd, v)
	case day:
		s = v.String()
		if d.date != "" {
			s = time.Unix(int64(v)*86400, 0).UTC().Format(d.date)
		}
	case time.Time:
		s = spellTime(rnd, v)
	}
	if d.date == "" && rnd.IntN(4) == 0 {
		s = " " + s + "\t"
	}
	return s, false
}

func spellNumber(rnd *rand.Rand, v float64) string {
	return strconv.FormatFloat(v, []byte("gef")[rnd.IntN(3)], -1, 64)
}

func spellBoolean(rnd *rand.Rand, v bool) string {
	if v {
		return []string{"true", "TRUE", "1", "Yes", "t", "Y"}[rnd.IntN(6)]
	}
	return []string{"false", "False", "0", "no", "F", "n"}[rnd.IntN(6)]
}

// spellTime formats an instant with a random offset.
func spellTime(rnd *rand.Rand, t time.Time) string {
	minutes := (rnd.IntN(49) - 24) * 30
	local := t.In(time.FixedZone("", minutes*60))
	layout := []string{"2006-01-02T15:04:05.999999Z07:00", "2006-01-02 15:04:05.000000000-0700"}[rnd.IntN(2)]
	return local.Format(layout)
}

// detected are the dialects that can be detected from the content.
var detected = []csvDialect{
	{delimiter: ",", quote: `"`, end: "\n"},
	{delimiter: ",", quote: `"`, end: "\r\n", quoteAll: true},
	{delimiter: ";", quote: `"`, end: "\r\n", first: "\ufeff"},
	{delimiter: "\t", quote: `"`, end: "\n"},
	{delimiter: "|", quote: `"`, end: "\n", quoteAll: true, first: "\ufeff"},
	{delimiter: ";", quote: `"`, end: "\n", first: "sep=;\r\n"},
	{delimiter: "\t", quote: `"`, end: "\r\n", first: "\ufeff", encode: true, utf16: unicode.LittleEndian},
	{delimiter: ",", quote: `"`, end: "\n", first: "\ufeff", encode: true, utf16: unicode.BigEndian},
}

func csvLayouts() []layout {
	no := false
	layouts := []layout{{name: "csv"}}
	for _, d := range detected {
		layouts[0].writers = append(layouts[0].writers, d.write)
	}
	for _, declared := range []struct {
		name string
		csvDialect
		audience.Format
	}{
		{"csv without a header", csvDialect{delimiter: ",", quote: `"`, end: "\n", headerless: true}, audience.Format{Header: &no}},
		{"csv with escapes", csvDialect{delimiter: ",", quote: `"`, escape: `\`, end: "\n"}, audience.Format{Escape: `\`}},
		{"csv with nulls and dates", csvDialect{delimiter: "|", quote: `"`, end: "\r\n", null: "<none>", date: "2.1.2006"}, audience.Format{NullValues: []string{"<none>"}, DateFormats: []string{"d.M.yyyy"}}},
		{"csv with carets", csvDialect{delimiter: "^", quote: "~", escape: "!", end: "\n"}, audience.Format{Type: audience.CSV, Delimiter: "^", Quote: "~", Escape: "!"}},
		{"csv with apostrophes", csvDialect{delimiter: ",", quote: `'`, end: "\n", quoteAll: true}, audience.Format{Quote: "'"}},
		{"csv in utf-16", csvDialect{delimiter: ",", quote: `"`, end: "\n", encode: true, utf16: unicode.LittleEndian}, audience.Format{Encoding: "utf-16le"}},
	} {
		layouts = append(layouts, layout{declared.name, &declared.Format, []writer{declared.write}})
	}
	return layouts
}
