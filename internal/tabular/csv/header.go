package csv

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/input"
	"roster/internal/tabular/value"
)

func tooManyColumns(line int64, columns int) error {
	return &tabular.FileError{Code: "TOO_MANY_COLUMNS",
		Message: fmt.Sprintf("line %d has %d columns; at most %d are possible", line, columns, tabular.MaxColumns)}
}

// readHeader skips the preamble of skip bytes and reads the names in the first record that is not blank. It leaves the
// chunker at the next record. For a file without a header it returns no names and leaves the chunker at the first
// record.
func readHeader(ctx context.Context, c *chunker, skip int, header bool) (names []string, err error) {
	start, end, err := c.first(ctx, skip)
	if err != nil {
		return nil, err
	}
	line := 1 + int64(bytes.Count(c.Buf[:start], input.LineFeed))
	switch {
	case end-start > tabular.MaxRecord:
		return nil, input.TooLong(line)
	case bytes.IndexByte(c.Buf[start:end], 0) >= 0:
		return nil, &tabular.FileError{Code: "ENCODING", Message: fmt.Sprintf("line %d has zero bytes; if the file is UTF-16 without a byte order mark, name the encoding in its format, or save it as UTF-8", line)}
	case !header:
		c.discard(start)
		return nil, nil
	case start == end:
		return nil, &tabular.FileError{Code: "NO_HEADER", Message: "the file has only empty lines; its first line must name the columns"}
	}
	if names, err = splitHeader(c.dialect, c.Buf[start:end], line); err != nil {
		return nil, err
	}
	c.discard(end)
	return names, nil
}

// first finds the first record after the preamble that is not blank; the record is empty at the end of a file without
// one. It detects how the file's lines end.
func (c *chunker) first(ctx context.Context, skip int) (start, end int, err error) {
	for {
		if err := c.Fill(ctx); err != nil {
			return 0, 0, err
		}
		if c.EOF && (len(c.Buf) == 0 || bytes.Equal(c.Buf, input.Utf8Mark)) {
			return 0, 0, &tabular.FileError{Code: "EMPTY_FILE", Message: "the file is empty"}
		}
		if len(c.Buf) < skip {
			continue
		}
		start, end, mac, ok := c.firstRecord(c.Buf[skip:], c.EOF)
		start, end = start+skip, end+skip
		if ok {
			if c.Mac = mac; mac {
				input.ReadReturns(c.Buf)
			}
			return start, end, nil
		}
		if len(c.Buf)-start > tabular.MaxRecord {
			return 0, 0, input.TooLong(1 + int64(bytes.Count(c.Buf[:start], input.LineFeed)))
		}
	}
}

// firstRecord finds the first record of a text that is not blank, and whether it ends with a carriage return alone. ok
// is false if the decision needs more of a text that has not ended.
func (d dialect) firstRecord(text []byte, ended bool) (start, end int, mac, ok bool) {
	for start < len(text) && (text[start] == '\n' || text[start] == '\r') {
		start++
	}
	line := boundaries{dialect: d}
	for n := 4 << 10; ; n *= 2 {
		end := min(start+n, len(text))
		if line.scan(text[start:end], '\n', '\r'); line.first > 0 || end == len(text) {
			break
		}
	}
	if line.first == 0 {
		return start, len(text), false, ended
	}
	// The line ends with a line feed, perhaps after carriage returns, or with a carriage return alone.
	last := start + line.first - 1
	for last < len(text) && text[last] == '\r' {
		last++
	}
	switch {
	case last == len(text):
		return start, last, false, ended
	case text[last] != '\n':
		return start, start + line.first, true, true
	}
	return start, last + 1, false, true
}

// record is a separate record.
type record struct {
	values []string // of its fields, at most maxColumns+1, without those after a quote that is not closed
	kind   malformation
	quoted bool // every field is quoted correctly
}

// split splits the record on a line. A record that is too large is an error, returned with the fields before it.
func (d dialect) split(text []byte, line int64) (record, error) {
	ch := chunk{Chunk: input.Chunk{Buf: append(make([]byte, 0, len(text)+input.Spare), text...), Size: len(text), Line: line}, dialect: d, quotes: d.quote != 0, multi: true}
	if !bytes.HasSuffix(text, input.LineFeed) {
		ch.Buf = append(ch.Buf, '\n')
	}
	stride := min(1+bytes.Count(text, []byte{d.delimiter}), tabular.MaxColumns+1)
	s := splitter{block: block{fields: make([]field, stride), stride: stride, starts: make([]uint32, 1), ends: make([]uint32, 1), lines: make([]int64, 1)}}
	s.reset(ch)
	_, err := s.next()
	var r record
	columns := s.stride
	for _, m := range s.malformed {
		if columns, r.kind = m.columns, m.kind; m.kind == notClosed {
			columns--
		}
	}
	if columns > tabular.MaxColumns && err == nil {
		err = tooManyColumns(line, columns)
	}
	var b value.Builder
	r.quoted = d.quote != 0 && r.kind == wrongCount
	for _, f := range s.fields[:columns] {
		r.values = append(r.values, string(valueOf(&b, &s.block, f)))
		start := uint32(f)
		r.quoted = r.quoted && start > 0 && s.Buf[start-1] == d.quote
	}
	return r, err
}

// splitHeader returns the names in a header.
func splitHeader(d dialect, text []byte, line int64) ([]string, error) {
	r, err := d.split(text, line)
	if err != nil {
		return nil, err
	}
	if r.kind != wrongCount {
		return nil, &tabular.FileError{Code: "NO_HEADER", Message: fmt.Sprintf("the header on line %d has a name whose quotes are not closed or are followed by text", line)}
	}
	for i, v := range r.values {
		r.values[i] = strings.TrimSpace(v)
	}
	if !slices.ContainsFunc(r.values, func(n string) bool { return n != "" }) {
		return nil, &tabular.FileError{Code: "NO_HEADER", Message: fmt.Sprintf("the header on line %d names no column", line)}
	}
	return r.values, nil
}

// match finds the wanted columns in the header: layout has for each column of the file the index of the wanted one, or
// -1.
func match(d dialect, names []string, columns []tabular.Column) (layout []int, h tabular.Header, err error) {
	layout = make([]int, len(names))
	at := make(map[string]int, len(columns))
	for i, c := range columns {
		at[audience.NameKey(c.Name)] = i
	}
	found := make([]int, len(columns)) // column of the file, counted from 1
	text := true
	for i, name := range names {
		if !utf8.ValidString(name) {
			text = false
			name = strings.ToValidUTF8(name, "\uFFFD")
		}
		h.Names = append(h.Names, name)
		want, ok := at[audience.NameKey(name)]
		if !ok {
			layout[i] = -1
			h.Extra = append(h.Extra, name)
			continue
		}
		if found[want] > 0 {
			return nil, h, &tabular.FileError{Code: "DUPLICATE_COLUMN",
				Message: fmt.Sprintf("the header names column %q twice, as columns %d and %d; rename or remove one of them", columns[want].Name, found[want], i+1)}
		}
		layout[i], found[want] = want, i+1
	}
	for i, c := range columns {
		if found[i] == 0 {
			h.Missing = append(h.Missing, c.Name)
		}
	}
	if err := usable(d, h, columns, found, text, names); err != nil {
		return nil, h, err
	}
	return layout, h, nil
}

// usable explains why a header cannot be used. It shows the names only if they are certainly a header and not a row of
// personal data.
func usable(d dialect, h tabular.Header, columns []tabular.Column, found []int, text bool, raw []string) error {
	if len(h.Missing) == 0 {
		return nil
	}
	if !text {
		return &tabular.FileError{Code: "ENCODING", Message: "the header has a name that is not valid UTF-8, and some fields are missing; " + encodingRemedy(raw)}
	}
	if len(h.Missing) == len(columns) && firstPerson(h.Names, nil) {
		return &tabular.FileError{Code: "NO_HEADER", Message: "the first line names none of the audience's fields and looks like a person's data; if the file has no header, set " + noHeader}
	}
	if len(h.Missing) == len(columns) {
		return &tabular.FileError{Code: "NO_HEADER", Message: fmt.Sprintf("the first line names none of the audience's fields; if the file has no header, set "+noHeader+". The line was split into %s at each %q; if that is wrong, set the delimiter in the format", count(len(h.Names), "column"), d.delimiter)}
	}
	for i, c := range columns {
		if c.Required && found[i] == 0 {
			return &tabular.FileError{Code: "MISSING_COLUMN", Message: fmt.Sprintf("the file has no column %q; its header names %s", c.Name, tabular.NameList(h.Names))}
		}
	}
	return nil
}
