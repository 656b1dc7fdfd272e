package json

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"roster/internal/tabular"
	"roster/internal/tabular/input"
)

// jsonLayout is the layout of a file's objects.
type jsonLayout uint8

const (
	jsonLines  jsonLayout = iota // each line is an object
	jsonArray                    // the elements of one array
	jsonValues                   // one after the other, with any line breaks
)

// maxEmpty is the number of empty objects, each alone on a line, that makes a file one of lines.
const maxEmpty = 100

// findLayout detects the layout and leaves the chunker at the first value: in an array, after its bracket. It decides
// by the first bytes that suffice, so the number of bytes in the buffer does not matter.
func (c *jsonChunker) findLayout(ctx context.Context) error {
	for {
		if err := c.Fill(ctx); err != nil {
			return err
		}
		if start := input.Spaces(c.Buf); start == len(c.Buf) {
			if c.EOF {
				return &tabular.FileError{Code: "EMPTY_FILE", Message: "the file is empty; a file without rows is an empty array, []"}
			}
			c.Discard(start)
			continue
		}
		if layout, ok := layoutOf(c.Buf, c.EOF); ok {
			c.layout = layout
			if layout == jsonArray {
				c.Discard(input.Spaces(c.Buf) + 1)
				return c.openArray(ctx)
			}
			return nil
		}
		if len(c.Buf) > tabular.MaxRecord {
			return input.TooLong(c.firstLine(c.Buf))
		}
	}
}

// openArray detects an array without elements.
func (c *jsonChunker) openArray(ctx context.Context) error {
	for {
		if err := c.Fill(ctx); err != nil {
			return err
		}
		start := input.Spaces(c.Buf)
		if start < len(c.Buf) {
			if c.Buf[start] == ']' {
				c.Discard(start + 1)
				c.scan.closed = true
			}
			return nil
		}
		if c.EOF {
			return nil
		}
		c.Discard(start)
	}
}

// layoutOf detects the layout of a file that begins with text, which is not all white space; ok is false if it needs
// more text. A file whose first object is alone on a line is JSON lines, also if that line is not a valid object but
// the next one is.
func layoutOf(text []byte, eof bool) (layout jsonLayout, ok bool) {
	text = text[input.Spaces(text):]
	if text[0] == '[' {
		return jsonArray, true
	}
	for range maxEmpty {
		switch {
		case len(text) == 0:
			return jsonLines, eof
		case text[0] != '{':
			return jsonLines, true
		}
		n, err := firstValue(text)
		if err != nil {
			return brokenLayout(text, n, err, eof)
		}
		object, rest := text[:n], bytes.TrimLeft(text[n:], " \t\r")
		switch {
		case bytes.IndexByte(object, '\n') >= 0, len(rest) > 0 && rest[0] == '{':
			return jsonValues, true
		case len(rest) > 0 && rest[0] != '\n', len(rest) > 0 && input.Spaces(object[1:]) < n-2:
			return jsonLines, true
		}
		text = rest[input.Spaces(rest):] // an empty object decides nothing
	}
	return jsonLines, true
}

// brokenLayout detects the layout of a text whose first object has an error at offset n.
func brokenLayout(text []byte, n int, err error, eof bool) (layout jsonLayout, ok bool) {
	cut := errors.Is(err, io.ErrUnexpectedEOF)
	if cut && !eof {
		return 0, false
	}
	end := bytes.IndexByte(text, '\n')
	if !cut && (end < 0 || n <= end) {
		return jsonLines, true
	}
	if end < 0 {
		return jsonValues, true
	}
	next := text[end:]
	next = next[input.Spaces(next):]
	line, _, whole := bytes.Cut(next, input.LineFeed)
	if !whole && !eof {
		return 0, false
	}
	if n, err := firstValue(line); err == nil && line[0] == '{' && input.Spaces(line[n:]) == len(line)-n {
		return jsonLines, true
	}
	return jsonValues, true
}

// firstValue returns the length of the value at the beginning of text, or the offset of the first error in it.
func firstValue(text []byte) (int, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(text), jsonOptions...)
	if _, err := d.ReadValue(); err != nil {
		return syntaxOffset(d, err), err
	}
	return int(d.InputOffset()), nil
}
