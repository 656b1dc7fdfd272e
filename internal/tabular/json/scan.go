package json

import (
	"bytes"

	"roster/internal/tabular"
	"roster/internal/tabular/input"
)

// jsonScanner finds where values end in a buffer that begins with a value and grows from look to look. It follows
// strings and the depth of brackets, and nothing else: whether the text is JSON, the parser says. Up to the first
// error in the text the two agree.
type jsonScanner struct {
	array  bool // values are the elements of an array and separated by commas; else they follow each other
	pos    int  // bytes looked at
	text   bool // pos is in a string
	depth  int
	last   int  // offset after the last value and the comma or bracket behind it; 0 when there is none yet
	closed bool // last is behind the array's closing bracket
	long   bool // the value at last is longer than maxRecord

	start bool  // no byte of the value at last was seen
	line  int64 // of pos
	row   int64 // line of the row that was begun last, as rows count
	sent  int64 // row when last was found
}

// structural says what bytes outside strings mean to a scanner.
// Marks of files are white space to it.
var structural = [256]byte{0: ' ', input.ControlZ: ' ', 0xef: ' ', 0xbb: ' ', 0xbf: ' ', ' ': ' ', '\t': ' ', '\r': ' ', '\n': '\n', '"': '"', '{': '{', '[': '{', '}': '}', ']': '}', ',': ','}

// look looks at the bytes that were added to buf. It stops where an array ends, and at a value that is too long.
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

// skipString goes to the end of a string.
func (s *jsonScanner) skipString(buf []byte) {
	n := bytes.IndexByte(buf[s.pos:], '"')
	if n < 0 {
		s.pos = len(buf)
		return
	}
	end := s.pos + n
	first := end
	for first > 0 && buf[first-1] == '\\' { // at the latest the quote that opens the string ends this
		first--
	}
	s.text = (end-first)%2 == 1
	s.pos = end + 1
}

// closes takes a closing bracket.
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

// ends notes the end of a value.
func (s *jsonScanner) ends() {
	if s.pos-s.last > tabular.MaxRecord {
		s.long = true
		s.closed = false
		return
	}
	s.last, s.sent, s.start = s.pos, s.row, true
}

// cut forgets the bytes up to the last end.
func (s *jsonScanner) cut() {
	s.pos -= s.last
	s.last = 0
}
