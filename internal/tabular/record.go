package tabular

import "bytes"

// The one definition of a record, which the chunker and the parser share:
//
//   - A record ends at a line feed outside quotes, or at the end of the file. A carriage return directly before
//     the line feed belongs to the line end; elsewhere it is data.
//   - A quote opens a quoted field only as the field's first byte. Inside, two quotes are one, and delimiters and
//     line ends are data. The closing quote must be followed by a delimiter or the record's end; what else follows
//     is malformed, is skipped up to the next delimiter or line feed, and makes the row a reject.
//   - A quote anywhere else is data.
//   - A line of no bytes is no record.

const (
	delimiter = ','
	quote     = '"'
)

// recordEnd returns the offset after the record that begins at pos; ok is false when buf does not hold its end.
func recordEnd(buf []byte, pos int) (end int, ok bool) {
	for {
		if pos < len(buf) && buf[pos] == quote {
			after, closed := skipQuoted(buf, pos)
			if !closed {
				return 0, false
			}
			pos = after
		}
		n := indexDelimiterOrLine(buf[pos:])
		if n < 0 {
			return 0, false
		}
		pos += n + 1
		if buf[pos-1] == '\n' {
			return pos, true
		}
	}
}

// skipQuoted returns the offset after the closing quote of the quoted field that begins at pos.
func skipQuoted(buf []byte, pos int) (after int, closed bool) {
	pos++
	for {
		n := bytes.IndexByte(buf[pos:], quote)
		if n < 0 {
			return 0, false
		}
		pos += n + 1
		if pos == len(buf) || buf[pos] != quote {
			// At the end of buf more bytes could make it an escaped quote; the caller then finds no line end either.
			return pos, true
		}
		pos++
	}
}

// indexDelimiterOrLine returns the offset of the first delimiter or line feed, -1 when there is none. Fields are
// short, so a plain loop beats two searches.
func indexDelimiterOrLine(b []byte) int {
	for i, c := range b {
		if c == delimiter || c == '\n' {
			return i
		}
	}
	return -1
}

// wholeRecords returns how many bytes of buf, which begins at a record, are whole records.
func wholeRecords(buf []byte) int {
	pos := 0
	for {
		q := bytes.IndexByte(buf[pos:], quote)
		if q < 0 {
			return pos + bytes.LastIndexByte(buf[pos:], '\n') + 1
		}
		// Everything before the line of the quote has no quotes: its lines are records.
		pos += bytes.LastIndexByte(buf[pos:pos+q], '\n') + 1
		end, ok := recordEnd(buf, pos)
		if !ok {
			return pos
		}
		pos = end
	}
}

// splitter splits records into fields. Its slices are reused from record to record.
type splitter struct {
	fields  [][]byte
	scratch []byte
	// malformed is set when the last record had text after a closing quote, unclosed when a quote was not closed.
	malformed, unclosed bool
}

// next splits the record that begins at pos of buf, which ends with a whole record or the end of the file. The
// fields are valid until the next call.
func (s *splitter) next(buf []byte, pos int, quotes bool) (end int) {
	s.fields, s.scratch = s.fields[:0], s.scratch[:0]
	s.malformed, s.unclosed = false, false
	if !quotes {
		return s.plain(buf, pos)
	}
	for {
		var value []byte
		if pos < len(buf) && buf[pos] == quote {
			if value, pos = s.quoted(buf, pos); s.unclosed {
				s.fields = append(s.fields, value)
				return len(buf)
			}
			rest := indexDelimiterOrLine(buf[pos:])
			if rest < 0 {
				rest = len(buf) - pos
			}
			if tail := buf[pos : pos+rest]; len(tail) > 0 && !(len(tail) == 1 && tail[0] == '\r' && (pos+rest == len(buf) || buf[pos+rest] == '\n')) {
				s.malformed = true
			}
			pos += rest
		} else {
			n := indexDelimiterOrLine(buf[pos:])
			if n < 0 {
				n = len(buf) - pos
			}
			value = buf[pos : pos+n]
			pos += n
			if pos == len(buf) || buf[pos] == '\n' {
				value = cutReturn(value)
			}
		}
		s.fields = append(s.fields, value)
		if pos == len(buf) {
			return pos
		}
		pos++
		if buf[pos-1] == '\n' {
			return pos
		}
	}
}

// plain splits a record of a buffer without quotes.
func (s *splitter) plain(buf []byte, pos int) (end int) {
	line := buf[pos:]
	end = len(buf)
	if n := bytes.IndexByte(line, '\n'); n >= 0 {
		line = line[:n]
		end = pos + n + 1
	}
	line = cutReturn(line)
	for {
		n := bytes.IndexByte(line, delimiter)
		if n < 0 {
			s.fields = append(s.fields, line)
			return end
		}
		s.fields = append(s.fields, line[:n])
		line = line[n+1:]
	}
}

func cutReturn(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}

// quoted returns the value of the quoted field that begins at pos, and the offset after its closing quote.
func (s *splitter) quoted(buf []byte, pos int) (value []byte, after int) {
	pos++
	start := pos
	from := -1 // where in scratch the value begins, once it had an escaped quote
	for {
		n := bytes.IndexByte(buf[pos:], quote)
		if n < 0 {
			s.unclosed = true
			return buf[start:], len(buf)
		}
		pos += n
		if pos+1 < len(buf) && buf[pos+1] == quote {
			if from < 0 {
				from = len(s.scratch)
			}
			s.scratch = append(s.scratch, buf[start:pos+1]...)
			pos += 2
			start = pos
			continue
		}
		if from < 0 {
			return buf[start:pos], pos + 1
		}
		s.scratch = append(s.scratch, buf[start:pos]...)
		return s.scratch[from:len(s.scratch):len(s.scratch)], pos + 1
	}
}
