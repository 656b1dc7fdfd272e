package csv

import (
	"bytes"

	"roster/internal/tabular/input"
)

// Concatenated files, and files of some systems, have marks between records that belong to no record: the byte order
// mark of the next file, a Control-Z at the end of a file, and zero bytes that fill it up. Zero bytes before text are
// data.

// fileMarks returns the number of bytes of marks at the beginning of a text.
func fileMarks(text []byte) (n int) {
	end := len(input.WithoutEndMarks(text))
	for n < end {
		switch {
		case text[n] == input.ControlZ:
			n++
		case bytes.HasPrefix(text[n:], input.Utf8Mark):
			n += len(input.Utf8Mark)
		default:
			return n
		}
	}
	return len(text)
}

// onlyBlanks reports whether a record of several columns consists of delimiters and blanks. Spreadsheets write such
// records for empty rows.
func onlyBlanks(record []byte, delimiter byte) bool {
	if bytes.IndexByte(record, delimiter) < 0 {
		return false
	}
	for _, c := range record {
		if c != delimiter && c != ' ' && c != '\t' {
			return false
		}
	}
	return true
}

// behindMarks splits a record again without the marks at its beginning, if its first field is quoted, because the first
// split took the quote after the marks for data. It returns what is wrong with the record, and its columns.
func (s *splitter) behindMarks(row []field, body, end int, kind malformation, columns int) (malformation, int) {
	if s.quote == 0 || s.Buf[body] != s.quote {
		was := row[0]
		row[0] = fieldAt(body, int(uint32(was))+int(was&^escaped>>32))
		return kind, columns
	}
	again := splitter{block: block{fields: make([]field, len(row)), stride: len(row), starts: make([]uint32, 1), ends: make([]uint32, 1), lines: make([]int64, 1)}}
	again.reset(chunk{Chunk: input.Chunk{Buf: s.Buf[body:end], Size: end - body}, dialect: s.dialect, quotes: true, multi: true})
	if _, err := again.next(); err != nil || again.rows+len(again.malformed) != 1 || again.pos < end-body {
		return textAfterQuote, columns
	}
	if again.rows == 0 {
		return again.malformed[0].kind, again.malformed[0].columns
	}
	for i, f := range again.fields[:len(row)] {
		row[i] = f + field(body)
	}
	return wrongCount, len(row)
}
