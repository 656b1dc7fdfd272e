package csv

import (
	"bytes"
	"fmt"
	"io"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/input"
)

// commentReader reads the text of a CSV file and blanks its comment lines: it replaces each of their bytes with a
// carriage return, which belongs to the line end, so that lines and offsets stay the same. If lines end with a carriage
// return alone, it replaces that one with a line feed.
type commentReader struct {
	r io.Reader
	dialect
	comment byte
	mac     bool // lines end with a carriage return alone
	skip    int  // bytes before the first record
	state   commentState
	lines   int64 // comment lines so far
}

// commentState is the position of the next byte within a record.
type commentState uint8

const (
	atRecord commentState = iota
	atField               // at its beginning, or after blanks there
	inField
	inQuotes
	behindQuote // after a quote that closed a field, or that is the first of two
	behindEscape
	inComment
)

func (c *commentReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	text := p[:n]
	if c.mac {
		input.ReadReturns(text)
	}
	skipped := min(c.skip, n)
	c.skip -= skipped
	c.blank(text[skipped:])
	return n, err
}

// blank blanks the comments in the next bytes of the text.
func (c *commentReader) blank(text []byte) {
	for i, b := range text {
		c.state = c.next(b)
		if c.state == inComment {
			text[i] = '\r'
		}
	}
}

// next returns the state after a byte.
func (c *commentReader) next(b byte) commentState {
	end := b == '\n'
	switch c.state {
	case behindEscape:
		return inQuotes
	case inQuotes:
		switch {
		case c.escape != 0 && b == c.escape:
			return behindEscape
		case b == c.quote:
			return behindQuote
		}
		return inQuotes
	case inComment:
		if !end {
			return inComment
		}
		return atRecord
	case atRecord:
		if b == c.comment {
			c.lines++
			return inComment
		}
	}
	switch {
	case end:
		return atRecord
	case b == c.delimiter:
		return atField
	case c.quote != 0 && b == c.quote && c.state != inField: // opens a field, or reopens it directly after a closing quote
		return inQuotes
	case (b == ' ' || b == '\t') && c.state <= atField:
		return atField
	}
	return inField
}

// blankComments blanks the comments in a text whose dialect is not known yet, and reports whether its lines end with a
// carriage return alone, which it replaces with a line feed.
func blankComments(text []byte, f audience.Format) (mac bool) {
	c := commentReader{dialect: standard, comment: f.Comment[0]}
	if mac = bytes.IndexByte(text, '\n') < 0; mac {
		input.ReadReturns(text)
	}
	if f.Quote != "" {
		c.quote = markOf(f.Quote)
	}
	if f.Delimiter != "" {
		c.delimiter = f.Delimiter[0]
	}
	c.blank(text)
	return mac
}

// titleLines returns the number of bytes of the first lines of a text.
func titleLines(text []byte, most int) (n int, err error) {
	for line := range most {
		end := bytes.IndexAny(text[n:], "\r\n")
		if end < 0 {
			if len(text) == input.WindowSize {
				return 0, tabular.WrongFormat("the first %d lines of the file are longer than %d KiB together, and skipLines skips them; check the number", most, input.WindowSize>>10)
			}
			return 0, &tabular.FileError{Code: "NO_HEADER", Message: fmt.Sprintf("the file has only %d lines, but skipLines skips %d", line+1, most)}
		}
		n += end + 1
		if feed := len(text[n:]) - len(bytes.TrimLeft(text[n:], "\r")); text[n-1] == '\r' && n+feed < len(text) && text[n+feed] == '\n' {
			n += feed + 1
		}
	}
	return n, nil
}
