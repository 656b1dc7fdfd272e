package csv

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/input"
)

var (
	usualDelimiters = []byte(",;\t|")
	// rareDelimiters also occur in names and values. They are accepted only if they separate two wanted names, or names
	// of columns if no names are wanted. Other marks are never detected, because they occur in e-mail addresses, URLs
	// and hashes.
	rareDelimiters = []byte("^~: \x01\x1f\x02\x03\x04\x1c\x1d\x1e")
)

// sniffer detects the dialect of a file.
type sniffer struct {
	text    []byte // whole lines of the window, followed by slack
	columns []tabular.Column
	format  audience.Format
	single  bool // each line is one value, whatever marks it contains
}

// sniff returns the dialect of a file that begins with text after its preamble. The format decides what it sets; of the
// remaining dialects, the one that reads the text best wins. Wanted columns, if there are any, are looked for in the
// header.
func sniff(text []byte, columns []tabular.Column, f audience.Format) dialect {
	s := sniffer{text: append(make([]byte, 0, len(text)+input.Spare), text...), columns: columns, format: f}
	s.single = s.isList()
	var best dialect
	var most score
	for _, quote := range s.quotes() {
		for _, escape := range s.escapes(quote) {
			for _, delimiter := range s.delimiters() {
				d := dialect{delimiter, quote, escape}
				if delimiter == quote || delimiter == escape {
					continue
				}
				if got, ok := s.try(d); ok && (best == dialect{} || got.beats(most)) {
					best, most = d, got
				}
			}
		}
	}
	return best
}

// delimiters returns the possible delimiters, the more likely first.
func (s *sniffer) delimiters() []byte {
	if s.format.Delimiter != "" {
		return []byte(s.format.Delimiter)
	}
	return slices.Concat(usualDelimiters, rareDelimiters)
}

func (s *sniffer) quotes() []byte {
	switch {
	case s.format.Quote != "":
		return []byte{markOf(s.format.Quote)}
	case s.format.Delimiter == `"`:
		return []byte{0}
	case bytes.IndexByte(s.text, '\'') < 0:
		return []byte{'"'}
	}
	return []byte(`"'`)
}

// escapes returns the possible escapes with a quote.
func (s *sniffer) escapes(quote byte) []byte {
	escape := markOf(s.format.Escape)
	switch {
	case quote == 0 || escape == quote:
		return []byte{0}
	case s.format.Escape == "" && bytes.Contains(s.text, []byte{'\\', quote}):
		return []byte{0, '\\'}
	}
	return []byte{escape}
}

// score rates how well a dialect reads a text. Earlier fields have more weight.
type score struct {
	names  int // wanted columns found in the header
	quoted int // 1 if every field of the first record is quoted
	parted int // 1 if there are several columns
	good   int // bytes of records with as many fields as there are columns
	fields int // of the first record
}

func (a score) beats(b score) bool {
	return cmp.Or(cmp.Compare(a.names, b.names), cmp.Compare(a.quoted, b.quoted), cmp.Compare(a.parted, b.parted),
		cmp.Compare(a.good, b.good), cmp.Compare(a.fields, b.fields)) > 0
}

// try reads the text in a dialect; ok is false if the dialect needs better evidence than the text has.
func (s *sniffer) try(d dialect) (got score, ok bool) {
	text := s.text
	start, end, mac, _ := d.firstRecord(text, true)
	if mac {
		text = append(make([]byte, 0, len(text)+input.Spare), text...)
		input.ReadReturns(text)
	}
	first, _ := d.split(text[start:end], 1) // a record that is too large is reported when it is read
	got.fields = len(first.values)
	if first.quoted {
		got.quoted = 1
	}
	columns := max(got.fields, 1)
	if s.format.HasHeader() {
		got.names = wantedIn(first.values, s.columns)
		start = end
	} else if len(s.columns) > 0 {
		columns = len(s.columns)
	}
	if !s.believable(d, got, first, text) {
		return got, false
	}
	if columns > 1 {
		got.parted = 1
	}
	if columns > 1 || d.delimiter == s.delimiters()[0] { // delimiters that separate nothing are equal; accept only the first
		got.good = d.measure(text[start:], columns)
	}
	return got, true
}

// believable reports whether an undeclared dialect may be accepted. A rare delimiter must separate two wanted names or,
// if no names are wanted, all records evenly. A comma that occurs only in decimal numbers is not a delimiter.
// Apostrophes are quotes only if no field begins with a double quote.
func (s *sniffer) believable(d dialect, got score, first record, text []byte) bool {
	if s.format.Delimiter == "" && s.single && bytes.IndexByte(s.text, d.delimiter) >= 0 {
		return false
	}
	if s.format.Delimiter == "" && got.names < 2 {
		if bytes.IndexByte(rareDelimiters, d.delimiter) >= 0 && (len(s.columns) > 0 || !d.partsEvenly(text, first.values)) {
			return false
		}
		if d.delimiter == ',' && s.decimalCommas(text, first.values) {
			return false
		}
	}
	return s.format.Quote != "" || d.quote != '\'' || !d.mayBeginField(text, '"') || !d.beginsField(text, '"', max(got.fields, 1))
}

// partsEvenly reports whether a delimiter separates a first record without any of the usual delimiters, and each of the
// following records, of which there must be some, into the same number of fields. A space and a colon, which occur in
// any text, never do. Another mark that can be typed must separate names: an e-mail address, a URL or a number in the
// first record is data.
func (d dialect) partsEvenly(text []byte, first []string) bool {
	header, _, _ := bytes.Cut(bytes.TrimLeft(text, "\r\n"), input.LineFeed)
	if d.delimiter == ' ' || d.delimiter == ':' || len(first) < 2 || bytes.ContainsAny(header, string(usualDelimiters)) {
		return false
	}
	if d.delimiter > ' ' && slices.ContainsFunc(first, func(v string) bool { return !plainName(v) }) {
		return false
	}
	rows, odd := 0, 0
	d.eachBlock(text, len(first), func(s *splitter) { rows, odd = rows+s.rows, odd+len(s.malformed) })
	return rows > 1 && odd == 0
}

// plainName reports whether a text is a column name as programs write them: words that begin with a letter.
func plainName(v string) bool {
	v = strings.TrimSpace(v)
	first, _ := utf8.DecodeRuneInString(v)
	return (first == '_' || unicode.IsLetter(first)) && strings.IndexFunc(v, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(" _-.()", r)
	}) < 0
}

// decimalCommas reports whether all commas of a first record are between digits, and another usual delimiter separates
// it: 1,5;2,5 has two numbers.
func (s *sniffer) decimalCommas(text []byte, first []string) bool {
	if len(first) < 2 {
		return false
	}
	for i, v := range first[1:] {
		before := first[i]
		if before == "" || v == "" || before[len(before)-1]-'0' > 9 || v[0]-'0' > 9 {
			return false
		}
	}
	line, _, _ := bytes.Cut(bytes.TrimLeft(text, "\r\n"), input.LineFeed)
	return bytes.ContainsAny(line, string(usualDelimiters[1:]))
}

// mayBeginField reports whether a mark is at the beginning of a field, if no field contains delimiters or line ends.
func (d dialect) mayBeginField(text []byte, mark byte) bool {
	return bytes.HasPrefix(text, []byte{mark}) || bytes.Contains(text, []byte{'\n', mark}) || bytes.Contains(text, []byte{d.delimiter, mark})
}

// beginsField reports whether a mark begins an unquoted field. It ignores records with another number of fields, or
// with malformed quotes. Slack must follow the text.
func (d dialect) beginsField(text []byte, mark byte, columns int) bool {
	found := false
	d.eachBlock(text, columns, func(s *splitter) {
		for _, f := range s.fields[:s.rows*s.stride] {
			found = found || f>>32 > 0 && s.Buf[uint32(f)] == mark && (uint32(f) == 0 || s.Buf[uint32(f)-1] != d.quote)
		}
		for _, m := range s.malformed {
			found = found || d.mayBeginField(s.Buf[m.start:m.end], mark)
		}
	})
	return found
}

// wantedIn returns how many of the wanted columns are among names.
func wantedIn(names []string, columns []tabular.Column) int {
	n := 0
	have := make(map[string]bool, len(names))
	for _, name := range names {
		have[audience.NameKey(name)] = true
	}
	for _, c := range columns {
		if have[audience.NameKey(c.Name)] {
			n++
		}
	}
	return n
}

// measure returns the bytes of the records of a text that have the given number of fields, or that have well-formed
// quotes if the number is 1, because the number says nothing about a single column. Slack must follow the text.
func (d dialect) measure(text []byte, columns int) (good int) {
	d.eachBlock(text, columns, func(s *splitter) {
		for row := range s.rows {
			good += int(s.ends[row] - s.starts[row])
		}
		for _, m := range s.malformed {
			if columns == 1 && m.kind == wrongCount {
				good += m.end - m.start
			}
		}
	})
	return good
}

// eachBlock splits a text, which slack must follow, up to a record that is too large.
func (d dialect) eachBlock(text []byte, columns int, see func(*splitter)) {
	if len(text) == 0 {
		return
	}
	ch := chunk{Chunk: input.Chunk{Buf: text, Size: len(text), Line: 1}, dialect: d, quotes: d.quote != 0, multi: true}
	if text[len(text)-1] != '\n' {
		ch.Buf = append(text, '\n')
	}
	s := splitter{block: newBlock(columns)}
	s.reset(ch)
	for {
		more, err := s.next()
		see(&s)
		if !more || err != nil {
			return
		}
	}
}

// preamble returns the length of the text before a file's first record: a byte order mark and the line that names the
// delimiter for spreadsheets, such as sep=;. It also returns that delimiter, 0 if there is no such line.
func preamble(text []byte) (n int, delimiter byte) {
	if bytes.HasPrefix(text, input.Utf8Mark) {
		n = len(input.Utf8Mark)
	}
	line := text[n:]
	end := bytes.IndexAny(line, "\r\n")
	if end < 0 {
		return n, 0
	}
	said, ok := strings.CutPrefix(strings.ToLower(strings.Trim(string(line[:min(end, len(`"sep=;"`))]), `"`)), "sep=")
	if end > len(`"sep=;"`) || !ok || len(said) != 1 || !possibleDelimiter(said[0]) {
		return n, 0
	}
	for end < len(line)-1 && line[end] == '\r' && (line[end+1] == '\r' || line[end+1] == '\n') {
		end++
	}
	return n + end + 1, said[0]
}

// possibleDelimiter reports whether a spreadsheet would accept a byte as a delimiter.
func possibleDelimiter(c byte) bool {
	letter := '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
	return c < 0x80 && c != 0 && c != '"' && !letter
}
