package csv

import (
	"bytes"
	"math/bits"

	"roster/internal/tabular"
	"roster/internal/tabular/input"
	"roster/internal/tabular/value"
)

// A field is the position of a value in a chunk: its offset in the low half, its length in the high half, without
// surrounding quotes. The highest bit means that it contains quotes or escapes that are not part of the value.
type field uint64

const escaped field = 1 << 63

func fieldAt(start, end int) field { return field(end-start)<<32 | field(start) }

// block is a sequence of split records, small enough to stay in the nearest cache while its columns are parsed one
// after the other.
type block struct {
	marks  dialect // of the chunk
	text   []byte  // the chunk and the slack after it
	fields []field // row by row
	stride int     // fields of a row
	rows   int
	starts []uint32 // offset of each row
	ends   []uint32 // offset after each row and its line end
	lines  []int64  // line of each row
	valid  bool     // the chunk is valid UTF-8
}

// blockFields is the largest number of fields of a block, unless a few rows have more.
const blockFields = 4096

func newBlock(stride int) block {
	rows := max(16, min(1024, blockFields/stride))
	return block{fields: make([]field, rows*stride), stride: stride, starts: make([]uint32, rows), ends: make([]uint32, rows), lines: make([]int64, rows)}
}

// malformed is a record that is not a row.
type malformed struct {
	start, end int
	line       int64
	kind       malformation
	columns    int // for a record with another number of columns than the header
}

type malformation uint8

const (
	wrongCount malformation = iota
	textAfterQuote
	notClosed
)

// splitter splits the records of a chunk into fields. It shares the definition of a record with boundaries, through
// quoting; the package comment describes it.
type splitter struct {
	chunk
	block
	malformed []malformed
	blanks    int64 // rows of the chunk with only delimiters
	filled    int64 // filled rows of the chunk that had too few fields
	pos       int   // where the next record begins

	words   [segment]uint64 // ends of fields in a part of the chunk
	used    []uint64        // of words, those not processed yet
	marked  int             // offset after that part
	base    int             // offset of the bits in mask
	mask    uint64          // the unprocessed bits of the current word
	state   quoting
	escapes escapes
	checked bool // a quoted field may contain quotes besides its first and last byte, or be followed by text
}

// reset begins a chunk.
func (s *splitter) reset(ch chunk) {
	s.chunk = ch
	s.marks, s.text = ch.dialect, ch.Buf[:len(ch.Buf)+input.Slack]
	s.pos, s.marked, s.used, s.mask, s.blanks, s.filled = 0, 0, nil, 0, 0, 0
	s.state, s.escapes, s.checked = quoting{start: 1}, escapes{}, false
}

// next splits the next block; it returns false if the chunk has no more rows or malformed records. A record that is too
// large is an error.
func (s *splitter) next() (more bool, err error) {
	s.rows = 0
	s.malformed = s.malformed[:0]
	for s.pos < len(s.Buf) && s.rows < len(s.starts) && len(s.malformed) < len(s.starts) && err == nil {
		err = s.records()
	}
	if s.formulas {
		s.unescapeFormulas()
	}
	return s.rows > 0 || len(s.malformed) > 0, err
}

// noQuote is not a byte.
const noQuote = uint(256)

// records splits records up to the first that is not a row, or until the block is full or the chunk ends.
func (s *splitter) records() error {
	buf, quote := s.Buf, noQuote
	if s.quotes {
		quote = uint(s.quote)
	}
	mask, base := s.mask, s.base
	start := s.pos
	for s.rows < len(s.starts) && start < len(buf) {
		row := s.fields[s.rows*s.stride:][:s.stride]
		kind := wrongCount
		at, end, text, columns := start, 0, 0, 0
		for ; ; columns++ {
			for mask == 0 {
				if !s.refill() { // the chunk ends with a line feed, so that one must be in quotes
					return s.refuse(start, len(buf), notClosed, columns+1)
				}
				mask, base = s.mask, s.base
			}
			end = base + bits.TrailingZeros64(mask)
			mask &= mask - 1
			text = end
			last := buf[end] == '\n'
			if last {
				text = cutReturns(buf, at, end)
			}
			f := fieldAt(at, text)
			if uint(buf[at]) == quote {
				var ok bool
				if f, ok = s.unquote(at, text); !ok {
					kind = textAfterQuote
				}
			}
			if columns < len(row) {
				row[columns] = f
			}
			if last {
				break
			}
			at = end + 1
		}
		columns++
		end++
		if c := buf[start]; c <= ' ' || c == s.delimiter || c == input.Utf8Mark[0] {
			body := start
			if s.delimiter != input.ControlZ && s.quote != input.ControlZ {
				body += fileMarks(buf[start:text])
			}
			switch {
			case body == text: // a blank line
				s.count(start, end)
				start = end
				continue
			case onlyBlanks(buf[body:text], s.delimiter):
				s.blanks++
				s.count(start, end)
				start = end
				continue
			case body > start:
				kind, columns = s.behindMarks(row, body, end, kind, columns)
			}
		}
		if s.state.spaced && kind == wrongCount {
			kind = s.unquoteSpaced(row[:min(columns, len(row))])
		}
		switch {
		case text == start: // a blank line
		case columns == s.stride && kind == wrongCount && min(end, s.Size)-start <= tabular.MaxRecord:
			s.starts[s.rows], s.ends[s.rows], s.lines[s.rows] = uint32(start), uint32(end), s.Line
			s.rows++
		case s.fillShort && columns < s.stride && kind == wrongCount && min(end, s.Size)-start <= tabular.MaxRecord:
			for ; columns < s.stride; columns++ {
				row[columns] = fieldAt(text, text)
			}
			s.starts[s.rows], s.ends[s.rows], s.lines[s.rows] = uint32(start), uint32(end), s.Line
			s.rows, s.filled = s.rows+1, s.filled+1
		default:
			s.mask, s.base = mask, base
			return s.refuse(start, end, kind, columns)
		}
		s.count(start, end)
		start = end
	}
	s.mask, s.base, s.pos = mask, base, start
	return nil
}

// count counts the lines of a record.
func (s *splitter) count(start, end int) {
	if s.multi {
		s.Line += int64(bytes.Count(s.Buf[start:end], input.LineFeed))
	} else {
		s.Line++
	}
}

// refuse handles a record that is not a row. A record that is too large ends the read.
func (s *splitter) refuse(start, end int, kind malformation, columns int) error {
	s.pos = end
	if min(end, s.Size)-start > tabular.MaxRecord {
		return input.TooLong(s.Line)
	}
	if columns > tabular.MaxColumns {
		return tooManyColumns(s.Line, columns)
	}
	s.malformed = append(s.malformed, malformed{start: start, end: end, line: s.Line, kind: kind, columns: columns})
	s.count(start, end)
	return nil
}

// refill goes to the next word of marks.
func (s *splitter) refill() bool {
	if len(s.used) == 0 {
		if s.marked == len(s.Buf) {
			return false
		}
		part := s.Buf[s.marked:min(len(s.Buf), s.marked+64*segment)]
		s.used = markedWords(s.words[:], part, s.delimiter, '\n', '\n')
		if s.quotes {
			s.unquoted(part)
		}
		s.base = s.marked - 64
		s.marked += len(part)
	}
	s.mask, s.used = s.used[0], s.used[1:]
	s.base += 64
	return true
}

// unquoted removes the marks of part that are in quoted fields.
func (s *splitter) unquoted(part []byte) {
	var words [segment]uint64
	quotes := markedWords(words[:], part, s.quote, s.quote, s.quote)
	if s.escape != 0 && s.escapes.cut(quotes, part, s.escape) {
		s.checked = true
	}
	for i, q := range quotes {
		outside, behind, ok := s.state.next(s.used[i], q)
		if !ok {
			outside, behind = s.state.step(s.used[i], q, s.Buf, s.marked+64*i, s.delimiter)
		}
		s.used[i] &= outside
		for ; behind != 0 && !s.checked; behind &= behind - 1 {
			// A carriage return may belong to the line end.
			at := s.marked + 64*i + bits.TrailingZeros64(behind)
			s.checked = at < len(s.Buf) && s.Buf[at] != '\r'
		}
	}
	s.checked = s.checked || s.state.odd
}

// unquoteSpaced removes the quotes of fields that have blanks before the quotes.
func (s *splitter) unquoteSpaced(row []field) malformation {
	for i, f := range row {
		start, end := int(uint32(f)), int(uint32(f))+int(f&^escaped>>32)
		if start > 0 && s.Buf[start-1] == s.quote { // already unquoted
			continue
		}
		at := start
		for at < end && (s.Buf[at] == ' ' || s.Buf[at] == '\t') {
			at++
		}
		if at == start || at == end || s.Buf[at] != s.quote {
			continue
		}
		var ok bool
		if row[i], ok = s.unquote(at, end); !ok {
			return textAfterQuote
		}
	}
	return wrongCount
}

// unquote returns the value of a quoted field; ok is false if text other than blanks follows the closing quote.
func (s *splitter) unquote(start, end int) (f field, ok bool) {
	start++
	if !s.checked {
		return fieldAt(start, end-1), s.Buf[end-1] == s.quote
	}
	if s.escape != 0 {
		n, marks := s.dialect.closing(s.Buf[start:end])
		if f = fieldAt(start, start+n); marks {
			f |= escaped
		}
		return f, start+n < end && len(value.TrimSpaces(s.Buf[start+n+1:end])) == 0
	}
	for at := start; ; at++ {
		at += bytes.IndexByte(s.Buf[at:end], s.quote)
		if at+1 == end || s.Buf[at+1] != s.quote {
			return fieldAt(start, at) | f, len(value.TrimSpaces(s.Buf[at+1:end])) == 0
		}
		f = escaped
		at++
	}
}

// cutReturns returns the end of a text without the carriage returns that belong to its line end.
func cutReturns(buf []byte, start, end int) int {
	for end > start && buf[end-1] == '\r' {
		end--
	}
	return end
}
