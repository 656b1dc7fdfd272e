package tabular

import (
	"bytes"
	"context"
	"fmt"
	"io"
)

// jsonChunk is a chunk of whole JSON values. Those of an array end with a comma or the array's closing bracket,
// unless the file is cut off.
type jsonChunk struct {
	textChunk
	row int64 // line of the row before it
}

// jsonChunker cuts a file into chunks.
type jsonChunker struct {
	*cutter
	layout jsonLayout
	scan   jsonScanner
}

func newJSONChunker(ctx context.Context, r io.Reader, size int) (*jsonChunker, error) {
	text := newCutter(r, size)
	c := &jsonChunker{cutter: &text}
	if err := c.fill(ctx); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(c.buf, utf8Mark) {
		c.drop(len(utf8Mark))
	}
	err := c.findLayout(ctx)
	c.scan.array = c.layout == jsonArray
	c.scan.line, c.scan.start = c.line, true
	return c, err
}

// next returns the next chunk; io.EOF after the last one. The last one may be empty and stand for bytes around an
// array.
func (c *jsonChunker) next(ctx context.Context) (jsonChunk, error) {
	if c.layout == jsonLines {
		return c.nextLines(ctx)
	}
	for !c.scan.closed {
		if c.scan.long {
			return jsonChunk{}, tooLong(c.firstLine(c.buf))
		}
		if err := c.fill(ctx); err != nil {
			return jsonChunk{}, err
		}
		row := c.scan.sent
		c.scan.look(c.buf)
		switch {
		case c.scan.last > 0:
			n := c.scan.last
			c.scan.cut()
			return jsonChunk{textChunk: c.cut(n), row: row}, nil
		case c.scan.long:
		case !c.eof:
		case len(c.buf) > 0:
			c.scan.cut()
			return jsonChunk{textChunk: c.cut(len(c.buf)), row: row}, nil
		case c.layout == jsonArray:
			return jsonChunk{}, cutOff(c.line)
		default:
			return c.rest()
		}
	}
	return c.nothing(ctx)
}

// nextLines returns the next chunk of lines.
func (c *jsonChunker) nextLines(ctx context.Context) (jsonChunk, error) {
	for {
		if err := c.fill(ctx); err != nil {
			return jsonChunk{}, err
		}
		n := bytes.LastIndexByte(c.buf, '\n') + 1
		if n == 0 && c.eof {
			n = len(c.buf)
		}
		switch {
		case n > 0:
			return jsonChunk{textChunk: c.cut(n)}, nil
		case c.eof:
			return c.rest()
		case len(c.buf) > maxRecord:
			return jsonChunk{}, tooLong(c.line)
		}
	}
}

// nothing reads what follows an array, which may be white space only.
func (c *jsonChunker) nothing(ctx context.Context) (jsonChunk, error) {
	for {
		if err := c.fill(ctx); err != nil {
			return jsonChunk{}, err
		}
		c.drop(spacesAndMarks(c.buf))
		if begun := bytes.HasPrefix(utf8Mark, c.buf) && !c.eof; len(c.buf) > 0 && !begun {
			return jsonChunk{}, &FileError{Code: CodeJSON, Message: fmt.Sprintf("line %d has text behind the end of the file's array; a file holds one array of objects, or objects alone", c.line)}
		}
		if c.eof {
			return c.rest()
		}
	}
}

// rest returns a chunk that is empty and stands for the bytes that no other chunk holds.
func (c *jsonChunker) rest() (jsonChunk, error) {
	if c.extra == 0 {
		return jsonChunk{}, io.EOF
	}
	return jsonChunk{textChunk: c.cutter.rest()}, nil
}

// firstLine returns the line of the first byte of text that is no white space; text begins where the buffer does.
func (c *jsonChunker) firstLine(text []byte) int64 {
	return c.line + int64(bytes.Count(text[:spaces(text)], lineFeed))
}

func cutOff(line int64) error {
	return &FileError{Code: CodeJSON, Message: fmt.Sprintf("the file ends on line %d in the middle of its JSON; it was cut off", line)}
}
