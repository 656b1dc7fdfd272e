package tabular

import (
	"bytes"
	"context"
	"io"
)

// chunk is a chunk of whole records.
type chunk struct {
	dialect
	textChunk
	quotes bool // it may have quotes
	multi  bool // it may have records of several lines
	// formulas says that values are escaped for spreadsheets.
	formulas bool
	// fillShort says that records with too few fields are rows, with null in the others.
	fillShort bool
}

// chunker cuts a file into chunks.
type chunker struct {
	dialect
	cutter
	window []byte // the first bytes of the decoded file, until its header is known
	ends   boundaries
	// formulas says that values are escaped for spreadsheets.
	formulas  bool
	fillShort bool
	comments  *commentReader // nil when no line is a comment
}

func newChunker(r io.Reader, size int, d dialect) *chunker {
	return &chunker{dialect: d, cutter: newCutter(r, size), ends: boundaries{dialect: d}}
}

// next returns the next chunk; io.EOF after the last one.
func (c *chunker) next(ctx context.Context) (chunk, error) {
	for {
		if err := c.fill(ctx); err != nil {
			return chunk{}, err
		}
		if c.eof {
			marks := len(c.buf)
			c.buf = withoutEndMarks(c.buf)
			if marks -= len(c.buf); len(c.buf) == 0 {
				c.skip(marks)
				return chunk{}, io.EOF
			}
			defer c.skip(marks)
			c.ends.quotes = c.quote != 0 && bytes.IndexByte(c.buf, c.quote) >= 0
			c.ends.multi = c.ends.quotes
			return c.cut(len(c.buf)), nil
		}
		c.ends.scan(c.buf, '\n', '\n')
		if c.ends.last > 0 {
			return c.cut(c.ends.last), nil
		}
		if len(c.buf) > maxRecord {
			return chunk{}, tooLong(c.line)
		}
	}
}

// cut makes a chunk of the first n bytes of the buffer and keeps the others.
func (c *chunker) cut(n int) chunk {
	out := chunk{dialect: c.dialect, textChunk: c.cutter.cut(n), quotes: c.ends.quotes, multi: c.ends.multi, formulas: c.formulas, fillShort: c.fillShort}
	c.ends = boundaries{dialect: c.dialect}
	return out
}

// drop leaves out the first n bytes, which no chunk will hold.
func (c *chunker) drop(n int) {
	c.cutter.drop(n)
	c.ends = boundaries{dialect: c.dialect}
}
