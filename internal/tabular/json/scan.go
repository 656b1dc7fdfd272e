package json

import (
	"bytes"

	"roster/internal/tabular"
	"roster/internal/tabular/input"
)

// jsonScanner finds the ends of values in a buffer that begins with a value and grows between calls. It tracks only
// strings and the depth of brackets; the parser decides whether the text is JSON. Up to the first error in the text the
// two agree.
type jsonScanner struct {
	array  bool // values are the elements of an array and separated by commas; otherwise they follow each other
	pos    int  // bytes scanned
	text   bool // pos is in a string
	depth  int
	last   int  // offset after the last value and the comma or bracket behind it; 0 when there is none yet
	closed bool // last is after the array's closing bracket
	long   bool // the value at last is longer than maxRecord

	start bool  // no byte of the value at last is scanned yet
	line  int64 // of pos
	row   int64 // line of the last row that began, by the numbering of rows
	sent  int64 // row at the time when last was found
}

// structural is the meaning of bytes outside strings. Marks of files count as white space.
var structural = [256]byte{0: ' ', input.ControlZ: ' ', 0xef: ' ', 0xbb: ' ', 0xbf: ' ', ' ': ' ', '\t': ' ', '\r': ' ', '\n': '\n', '"': '"', '{': '{', '[': '{', '}': '}', ']': '}', ',': ','}

// look scans the bytes that were added to buf. It stops at the end of an array, and at a value that is too long.
func (s *jsonScanner) look(buf []byte) {
	for s.pos < len(buf) && !s.closed && !s.long {
		if s.text {
			s.skipString(buf)
			continue
		}
		c := structural[buf[s.pos]]
		s.pos++
		if c == '\n' {
			s.line++
			continue
		}
		if s.start && c != ' ' {
			s.start = false
			s.row = max(s.row+1, s.line)
		}
		switch c {
		case '"':
			s.text = true
		case '{':
			s.depth++
		case '}':
			s.closes()
		case ',':
			if s.array && s.depth == 0 {
				s.ends()
			}
		}
	}
	s.long = s.long || len(buf)-s.last > tabular.MaxRecord && !s.closed
}

// skipString moves to the end of a string.
func (s *jsonScanner) skipString(buf []byte) {
	n := bytes.IndexByte(buf[s.pos:], '"')
	if n < 0 {
		s.pos = len(buf)
		return
	}
	end := s.pos + n
	first := end
	for first > 0 && buf[first-1] == '\\' { // the quote that opens the string ends this at the latest
		first--
	}
	s.text = (end-first)%2 == 1
	s.pos = end + 1
}

// closes processes a closing bracket.
func (s *jsonScanner) closes() {
	if s.depth > 0 {
		s.depth--
	} else if s.array {
		s.closed = true
	}
	if s.closed || s.depth == 0 && !s.array {
		s.ends()
	}
}

// ends records the end of a value.
func (s *jsonScanner) ends() {
	if s.pos-s.last > tabular.MaxRecord {
		s.long = true
		s.closed = false
		return
	}
	s.last, s.sent, s.start = s.pos, s.row, true
}

// cut removes the bytes up to the last end.
func (s *jsonScanner) cut() {
	s.pos -= s.last
	s.last = 0
}
