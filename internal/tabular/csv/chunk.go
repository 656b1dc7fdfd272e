package csv

import (
	"bytes"
	"context"
	"io"

	"roster/internal/tabular"
	"roster/internal/tabular/input"
)

// chunk is a chunk of whole records.
type chunk struct {
	dialect
	input.Chunk
	quotes bool // it may contain quotes
	multi  bool // it may contain records of several lines
	// formulas means that values are escaped for spreadsheets.
	formulas bool
	// fillShort means that records with too few fields are rows, with null in the missing ones.
	fillShort bool
}

// chunker cuts a file into chunks.
type chunker struct {
	dialect
	input.Cutter
	window []byte // the first bytes of the decoded file, until its header is known
	ends   boundaries
	// formulas means that values are escaped for spreadsheets.
	formulas  bool
	fillShort bool
	comments  *commentReader // nil if no line is a comment
}

func newChunker(r io.Reader, size int, d dialect) *chunker {
	return &chunker{dialect: d, Cutter: input.NewCutter(r, size), ends: boundaries{dialect: d}}
}

// next returns the next chunk; io.EOF after the last one.
func (c *chunker) next(ctx context.Context) (chunk, error) {
	for {
		if err := c.Fill(ctx); err != nil {
			return chunk{}, err
		}
		if c.EOF {
			marks := len(c.Buf)
			c.Buf = input.WithoutEndMarks(c.Buf)
			if marks -= len(c.Buf); len(c.Buf) == 0 {
				c.Skip(marks)
				return chunk{}, io.EOF
			}
			defer c.Skip(marks)
			c.ends.quotes = c.quote != 0 && bytes.IndexByte(c.Buf, c.quote) >= 0
			c.ends.multi = c.ends.quotes
			return c.cut(len(c.Buf)), nil
		}
		c.ends.scan(c.Buf, '\n', '\n')
		if c.ends.last > 0 {
			return c.cut(c.ends.last), nil
		}
		if len(c.Buf) > tabular.MaxRecord {
			return chunk{}, input.TooLong(c.Line)
		}
	}
}

// cut makes a chunk of the first n bytes of the buffer and keeps the others.
func (c *chunker) cut(n int) chunk {
	out := chunk{dialect: c.dialect, Chunk: c.Cutter.Cut(n), quotes: c.ends.quotes, multi: c.ends.multi, formulas: c.formulas, fillShort: c.fillShort}
	c.ends = boundaries{dialect: c.dialect}
	return out
}

// discard removes the first n bytes, which will be in no chunk.
func (c *chunker) discard(n int) {
	c.Cutter.Discard(n)
	c.ends = boundaries{dialect: c.dialect}
}
