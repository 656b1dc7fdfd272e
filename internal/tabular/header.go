package tabular

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	utf8Mark  = []byte("\xef\xbb\xbf")
	utf16Mark = [][]byte{[]byte("\xff\xfe"), []byte("\xfe\xff")}
)

func tooManyColumns(line int64, columns int) error {
	return &FileError{Code: "TOO_MANY_COLUMNS",
		Message: fmt.Sprintf("line %d has %d columns; at most %d are possible", line, columns, maxColumns)}
}

// readHeader reads the first record that is not blank and leaves the chunker at the next.
func readHeader(ctx context.Context, c *chunker) ([]string, error) {
	for {
		if err := c.fill(ctx); err != nil {
			return nil, err
		}
		start, end, ok, err := c.findHeader()
		if err != nil {
			return nil, err
		}
		if ok {
			line := 1 + int64(bytes.Count(c.buf[:start], lineFeed))
			if end-start > maxRecord {
				return nil, tooLong(line)
			}
			names, err := splitHeader(c.buf[start:end], line)
			if err != nil {
				return nil, err
			}
			c.drop(end)
			return names, nil
		}
		if len(c.buf)-start > maxRecord {
			return nil, tooLong(1 + int64(bytes.Count(c.buf[:start], lineFeed)))
		}
	}
}

// findHeader finds the first record that is not blank; ok is false when more of the file is needed. It notices
// how the file's lines end.
func (c *chunker) findHeader() (start, end int, ok bool, err error) {
	if len(c.buf) == 0 && c.eof {
		return 0, 0, false, &FileError{Code: "EMPTY_FILE", Message: "the file is empty; it needs a header line with the names of its columns"}
	}
	for _, m := range utf16Mark {
		if bytes.HasPrefix(c.buf, m) {
			return 0, 0, false, &FileError{Code: "ENCODING", Message: "the file is UTF-16; save it as UTF-8"}
		}
	}
	if bytes.HasPrefix(c.buf, utf8Mark) {
		start = len(utf8Mark)
	}
	for start < len(c.buf) && (c.buf[start] == '\n' || c.buf[start] == '\r') {
		start++
	}
	if start == len(c.buf) && c.eof {
		return 0, 0, false, &FileError{Code: "NO_HEADER", Message: "the file has only empty lines; its first line must name the columns"}
	}
	var line boundaries
	for n := 4 << 10; ; n *= 2 {
		end := min(start+n, len(c.buf))
		if line.scan(c.buf[start:end], '\n', '\r'); line.first > 0 || end == len(c.buf) {
			break
		}
	}
	if line.first == 0 {
		return start, len(c.buf), c.eof, nil
	}
	// The line ends with a line feed, perhaps behind carriage returns, or else with a carriage return alone.
	last := start + line.first - 1
	for last < len(c.buf) && c.buf[last] == '\r' {
		last++
	}
	switch {
	case last == len(c.buf):
		return start, last, c.eof, nil
	case c.buf[last] != '\n':
		c.mac = true
		readReturns(c.buf)
		return start, start + line.first, true, nil
	}
	return start, last + 1, true, nil
}

// splitHeader returns the names in a header.
func splitHeader(record []byte, line int64) ([]string, error) {
	if bytes.IndexByte(record, 0) >= 0 {
		return nil, &FileError{Code: "ENCODING", Message: fmt.Sprintf("the header on line %d has zero bytes; save the file as CSV in UTF-8", line)}
	}
	buf := append(make([]byte, 0, len(record)+spare), record...)
	ch := chunk{buf: buf, size: len(record), line: line, quotes: true, multi: true}
	if buf[len(buf)-1] != '\n' {
		ch.buf = append(buf, '\n')
	}
	s := splitter{block: newBlock(min(1+bytes.Count(record, []byte{delimiter}), maxColumns+1))}
	s.reset(ch)
	if _, err := s.next(); err != nil {
		return nil, err
	}
	columns := s.stride
	for _, m := range s.malformed {
		if columns = m.columns; m.kind != wrongCount {
			return nil, &FileError{Code: "NO_HEADER", Message: fmt.Sprintf("the header on line %d has a name whose quotes are not closed or have text behind them", line)}
		}
	}
	if columns > maxColumns {
		return nil, tooManyColumns(line, columns)
	}
	names := make([]string, columns)
	var b builder
	for i := range names {
		names[i] = strings.TrimSpace(string(b.value(&s.block, s.fields[i])))
	}
	if !slices.ContainsFunc(names, func(n string) bool { return n != "" }) {
		return nil, &FileError{Code: "NO_HEADER", Message: fmt.Sprintf("the header on line %d names no column", line)}
	}
	return names, nil
}

// match finds the wanted columns in the header: layout says for each column of the file which wanted one it is,
// -1 for none.
func match(names []string, columns []Column) (layout []int, h Header, err error) {
	layout = make([]int, len(names))
	at := make(map[string]int, len(columns))
	for i, c := range columns {
		at[foldName(c.Name)] = i
	}
	found := make([]int, len(columns)) // column of the file, from 1
	text := true
	for i, name := range names {
		if !utf8.ValidString(name) {
			text = false
			name = strings.ToValidUTF8(name, "\uFFFD")
		}
		h.Names = append(h.Names, name)
		want, ok := at[foldName(name)]
		if !ok {
			layout[i] = -1
			h.Extra = append(h.Extra, name)
			continue
		}
		if found[want] > 0 {
			return nil, h, &FileError{Code: "DUPLICATE_COLUMN",
				Message: fmt.Sprintf("the header names column %q twice, as columns %d and %d", columns[want].Name, found[want], i+1)}
		}
		layout[i], found[want] = want, i+1
	}
	for i, c := range columns {
		if found[i] == 0 {
			h.Missing = append(h.Missing, c.Name)
		}
	}
	if err := usable(h, columns, found, text); err != nil {
		return nil, h, err
	}
	return layout, h, nil
}

// foldName returns what names of the same column have in common.
func foldName(name string) string {
	return strings.Map(foldRune, strings.TrimSpace(name))
}

// foldRune returns the smallest of the runes that are equal ignoring case.
func foldRune(r rune) rune {
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return least
}

// usable says why a header cannot be used. Its names are told only when it is sure that it is a header, and not a
// row of somebody's data.
func usable(h Header, columns []Column, found []int, text bool) error {
	if len(h.Missing) == 0 {
		return nil
	}
	if !text {
		return &FileError{Code: "ENCODING", Message: "the header has a name that is not valid UTF-8, and not all fields are found; save the file as UTF-8"}
	}
	if len(h.Missing) == len(columns) {
		message := "the first line names none of the audience's fields; does the file have a header?"
		if len(h.Names) == 1 {
			for _, other := range []struct{ text, name string }{{";", "semicolons"}, {"\t", "tabs"}, {"|", "vertical bars"}} {
				if strings.Contains(h.Names[0], other.text) {
					message = "the first line has no comma but " + other.name + "; save the file with commas between its columns"
				}
			}
		}
		return &FileError{Code: "NO_HEADER", Message: message}
	}
	for i, c := range columns {
		if c.Required && found[i] == 0 {
			return &FileError{Code: "MISSING_COLUMN", Message: fmt.Sprintf("the file has no column %q; its header names %s", c.Name, nameList(h.Names))}
		}
	}
	return nil
}

// nameList quotes the first names of a header, cut to a length that can be read.
func nameList(names []string) string {
	const most, longest = 20, 64
	var quoted []string
	for _, n := range names[:min(len(names), most)] {
		if runes := []rune(n); len(runes) > longest {
			n = string(runes[:longest]) + "…"
		}
		quoted = append(quoted, fmt.Sprintf("%q", n))
	}
	text := strings.Join(quoted, ", ")
	if len(names) > most {
		text += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return text
}
