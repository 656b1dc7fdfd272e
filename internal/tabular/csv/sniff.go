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
	// rareDelimiters also stand in names and values, and are believed only when they part two wanted names, or names of
	// columns that nobody has asked for. Others are never found out: they stand in e-mail addresses, URLs and hashes.
	rareDelimiters = []byte("^~: \x01\x1f\x02\x03\x04\x1c\x1d\x1e")
)

// sniffer finds out the dialect of a file.
type sniffer struct {
	text    []byte // whole lines of the window, with slack behind them
	columns []tabular.Column
	format  audience.Format
	single  bool // each line is one value, whatever marks it has
}

// sniff returns the dialect of a file that begins with text, behind its preamble: what the format says, and what of
// the dialects it leaves open reads the text best. Wanted columns, if there are any, are looked for in the header.
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

// delimiters returns those that are possible, the likelier first.
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

// escapes returns those that are possible with a quote.
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

// score says how well a dialect reads a text; earlier fields weigh more.
type score struct {
	names  int // wanted columns found in the header
	quoted int // 1 when every field of the first record is quoted
	parted int // 1 when there are several columns
	good   int // bytes of the records that have as many fields as there are columns
	fields int // of the first record
}

func (a score) beats(b score) bool {
	return cmp.Or(cmp.Compare(a.names, b.names), cmp.Compare(a.quoted, b.quoted), cmp.Compare(a.parted, b.parted),
		cmp.Compare(a.good, b.good), cmp.Compare(a.fields, b.fields)) > 0
}

// try reads the text in a dialect; ok is false when that needs better evidence than the text has.
func (s *sniffer) try(d dialect) (got score, ok bool) {
	text := s.text
	start, end, mac, _ := d.firstRecord(text, true)
	if mac {
		text = append(make([]byte, 0, len(text)+input.Spare), text...)
		input.ReadReturns(text)
	}
	first, _ := d.split(text[start:end], 1) // the error of a record that is too large comes when it is read
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
	if columns > 1 || d.delimiter == s.delimiters()[0] { // one that parts nothing is no better than another
		got.good = d.measure(text[start:], columns)
	}
	return got, true
}

// believable reports whether a dialect that was not asked for may be taken. A rare delimiter must part two wanted
// names or, when nothing is wanted, all records evenly. A comma that only stands in decimal numbers is none. Apostrophes are quotes only where no field begins with a double quote.
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

// partsEvenly reports whether a delimiter parts a first record that has none of the usual ones, and each of the records
// behind it, of which there are some, into as many fields. A space and a colon, which stand in any text, never do. Another
// mark that can be typed must part names: an e-mail address, a URL or a number in the first record is the value of a list.
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

// plainName reports whether a text is a name of a column as programs write them: words that begin with a letter.
func plainName(v string) bool {
	v = strings.TrimSpace(v)
	first, _ := utf8.DecodeRuneInString(v)
	return (first == '_' || unicode.IsLetter(first)) && strings.IndexFunc(v, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(" _-.()", r)
	}) < 0
}

// decimalCommas reports whether all commas of a first record stand between digits, and another of the usual delimiters
// parts it: 1,5;2,5 has two numbers.
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

// mayBeginField reports whether a mark stands where a field begins, if no field has delimiters or line ends.
func (d dialect) mayBeginField(text []byte, mark byte) bool {
	return bytes.HasPrefix(text, []byte{mark}) || bytes.Contains(text, []byte{'\n', mark}) || bytes.Contains(text, []byte{d.delimiter, mark})
}

// beginsField reports whether a mark begins a field that is not quoted. Of records that have not the given number of
// fields, or no well-formed quotes, nothing is believed. There must be slack behind the text.
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

// measure returns the bytes of the records of a text that have the given number of fields, or have well-formed quotes
// when it is 1: of a single column the number says nothing. There must be slack behind the text.
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

// eachBlock splits a text, with slack behind it, up to a record that is too large.
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

// preamble returns the length of what lies before a file's first record, a byte order mark and the line by which
// spreadsheets are told the delimiter, such as sep=; and that delimiter, 0 when there is no such line.
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

// possibleDelimiter reports whether a spreadsheet would take a byte for a delimiter.
func possibleDelimiter(c byte) bool {
	letter := '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
	return c < 0x80 && c != 0 && c != '"' && !letter
}
