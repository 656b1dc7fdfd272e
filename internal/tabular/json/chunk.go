package json

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"roster/internal/tabular"
	"roster/internal/tabular/input"
)

// jsonChunk is a chunk of whole JSON values. A chunk of an array ends with a comma or the array's closing bracket,
// unless the file is cut off.
type jsonChunk struct {
	input.Chunk
	row int64 // line of the row before it
}

// jsonChunker cuts a file into chunks.
type jsonChunker struct {
	*input.Cutter
	layout jsonLayout
	scan   jsonScanner
}

func newJSONChunker(ctx context.Context, r io.Reader, size int) (*jsonChunker, error) {
	text := input.NewCutter(r, size)
	c := &jsonChunker{Cutter: &text}
	if err := c.Fill(ctx); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(c.Buf, input.Utf8Mark) {
		c.Discard(len(input.Utf8Mark))
	}
	err := c.findLayout(ctx)
	c.scan.array = c.layout == jsonArray
	c.scan.line, c.scan.start = c.Line, true
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
			return jsonChunk{}, input.TooLong(c.firstLine(c.Buf))
		}
		if err := c.Fill(ctx); err != nil {
			return jsonChunk{}, err
		}
		row := c.scan.sent
		c.scan.look(c.Buf)
		switch {
		case c.scan.last > 0:
			n := c.scan.last
			c.scan.cut()
			return jsonChunk{Chunk: c.Cut(n), row: row}, nil
		case c.scan.long:
		case !c.EOF:
		case len(c.Buf) > 0:
			c.scan.cut()
			return jsonChunk{Chunk: c.Cut(len(c.Buf)), row: row}, nil
		case c.layout == jsonArray:
			return jsonChunk{}, cutOff(c.Line)
		default:
			return c.rest()
		}
	}
	return c.nothing(ctx)
}

// nextLines returns the next chunk of lines.
func (c *jsonChunker) nextLines(ctx context.Context) (jsonChunk, error) {
	for {
		if err := c.Fill(ctx); err != nil {
			return jsonChunk{}, err
		}
		n := bytes.LastIndexByte(c.Buf, '\n') + 1
		if n == 0 && c.EOF {
			n = len(c.Buf)
		}
		switch {
		case n > 0:
			return jsonChunk{Chunk: c.Cut(n)}, nil
		case c.EOF:
			return c.rest()
		case len(c.Buf) > tabular.MaxRecord:
			return jsonChunk{}, input.TooLong(c.Line)
		}
	}
}

// nothing reads the rest of the file after an array, which may be white space only.
func (c *jsonChunker) nothing(ctx context.Context) (jsonChunk, error) {
	for {
		if err := c.Fill(ctx); err != nil {
			return jsonChunk{}, err
		}
		c.Discard(input.SpacesAndMarks(c.Buf))
		if begun := bytes.HasPrefix(input.Utf8Mark, c.Buf) && !c.EOF; len(c.Buf) > 0 && !begun {
			return jsonChunk{}, &tabular.FileError{Code: tabular.CodeJSON, Message: fmt.Sprintf("line %d has text after the end of the file's array; a file must contain one array of objects, or only objects", c.Line)}
		}
		if c.EOF {
			return c.rest()
		}
	}
}

// rest returns an empty chunk that stands for the bytes in no other chunk.
func (c *jsonChunker) rest() (jsonChunk, error) {
	if c.Extra == 0 {
		return jsonChunk{}, io.EOF
	}
	return jsonChunk{Chunk: c.Cutter.Rest()}, nil
}

// firstLine returns the line of the first byte of text that is not white space; text begins where the buffer does.
func (c *jsonChunker) firstLine(text []byte) int64 {
	return c.Line + int64(bytes.Count(text[:input.Spaces(text)], input.LineFeed))
}

func cutOff(line int64) error {
	return &tabular.FileError{Code: tabular.CodeJSON, Message: fmt.Sprintf("the file ends on line %d in the middle of its JSON; it was cut off", line)}
}
