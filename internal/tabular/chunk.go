package tabular

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Limits of a file.
const (
	maxRecord  = 16 << 20 // bytes of one record with its line end
	maxColumns = 10_000
)

// spare is what a chunk's buffer has room for behind the bytes that are read: slack, and the line feed that the
// file's last line may lack.
const spare = slack + 1

// chunk is a stretch of a file: whole records, the last of which may be cut off by the end of the file.
type chunk struct {
	dialect
	buf    []byte // ends with a line feed, added if need be; behind it lies slack
	size   int    // bytes of the file: len(buf), or one less
	line   int64  // of its first byte
	offset int64  // of its first byte
	extra  int64  // bytes before it that no chunk holds: the byte order mark and the header
	quotes bool   // it may have quotes
	multi  bool   // it may have records of several lines
	// formulas says that values are escaped for spreadsheets.
	formulas bool
	// fillShort says that records with too few fields are rows, with null in the others.
	fillShort bool
}

// chunker cuts a file into chunks.
type chunker struct {
	dialect
	r      io.Reader
	window []byte // the first bytes of the decoded file, until its header is known
	size   int
	buf    []byte // read, but not yet part of a chunk; begins with a record
	ends   boundaries
	line   int64 // of the first byte of buf
	offset int64 // of the first byte of buf
	extra  int64
	eof    bool
	mac    bool // lines end with a carriage return, which is read as a line feed
	// formulas says that values are escaped for spreadsheets.
	formulas  bool
	fillShort bool
	comments  *commentReader // nil when no line is a comment
}

func newChunker(r io.Reader, size int, d dialect) *chunker {
	c := &chunker{dialect: d, r: r, size: size, ends: boundaries{dialect: d}, line: 1}
	c.buf = c.buffer(0)
	return c
}

// buffers are the buffers of chunks that were parsed.
var buffers sync.Pool

// buffer returns an empty buffer for n bytes, at least a chunk.
func (c *chunker) buffer(n int) []byte {
	if n <= c.size {
		if b, ok := buffers.Get().(*[]byte); ok && cap(*b) == c.size+spare {
			return (*b)[:0]
		}
	}
	return make([]byte, 0, max(n, c.size)+spare)
}

// recycle gives a chunk's buffer back.
func (c *chunker) recycle(b []byte) {
	if cap(b) == c.size+spare {
		buffers.Put(&b)
	}
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

func tooLong(line int64) error {
	return &FileError{Code: "LINE_TOO_LONG",
		Message: fmt.Sprintf("the row that begins on line %d is longer than %d MiB; is a quote not closed?", line, maxRecord>>20)}
}

// fill reads until the buffer is full or the file ends. A buffer that is full already grows.
func (c *chunker) fill(ctx context.Context) error {
	if room := cap(c.buf) - spare; len(c.buf) == room && !c.eof {
		grown := c.buffer(max(min(2*room, maxRecord+1), room+room/2))
		grown = append(grown, c.buf...)
		c.recycle(c.buf)
		c.buf = grown
	}
	for !c.eof && len(c.buf) < cap(c.buf)-spare {
		free := c.buf[len(c.buf) : cap(c.buf)-spare]
		n, eof, err := readSome(ctx, c.r, free, c.offset+int64(len(c.buf)))
		if err != nil {
			return err
		}
		if c.mac {
			readReturns(free[:n])
		}
		c.buf, c.eof = c.buf[:len(c.buf)+n], eof
	}
	return nil
}

// readSome reads once; before says how much was read before, for the error.
func readSome(ctx context.Context, r io.Reader, free []byte, before int64) (n int, eof bool, err error) {
	if err := ctx.Err(); err != nil {
		return 0, false, err
	}
	n, err = r.Read(free)
	switch {
	case n < 0 || n > len(free):
		return 0, false, errors.New("tabular: a reader returned an impossible count")
	case errors.Is(err, io.EOF):
		return n, true, nil
	case err != nil:
		return n, false, &FileError{Code: "READ", Message: fmt.Sprintf("reading failed after %d bytes", before+int64(n)), Err: err}
	}
	return n, false, nil
}

// readReturns turns carriage returns into line feeds.
func readReturns(b []byte) {
	for i, c := range b {
		if c == '\r' {
			b[i] = '\n'
		}
	}
}

// cut makes a chunk of the first n bytes of the buffer and keeps the others.
func (c *chunker) cut(n int) chunk {
	var rest []byte
	if !c.eof || n < len(c.buf) {
		rest = append(c.buffer(len(c.buf)-n), c.buf[n:]...)
	}
	out := chunk{dialect: c.dialect, buf: c.buf[:n], size: n, line: c.line, offset: c.offset, extra: c.extra, quotes: c.ends.quotes, multi: c.ends.multi, formulas: c.formulas, fillShort: c.fillShort}
	c.line += int64(bytes.Count(out.buf, lineFeed))
	c.offset += int64(n)
	c.extra = 0
	c.buf, c.ends = rest, boundaries{dialect: c.dialect}
	if out.buf[n-1] != '\n' {
		out.buf = append(out.buf, '\n')
	}
	return out
}

// skip counts bytes that no chunk holds and that are not in the buffer any more.
func (c *chunker) skip(n int) {
	c.offset += int64(n)
	c.extra += int64(n)
}

// drop leaves out the first n bytes, which no chunk will hold.
func (c *chunker) drop(n int) {
	c.line += int64(bytes.Count(c.buf[:n], lineFeed))
	c.offset += int64(n)
	c.extra += int64(n)
	c.buf = c.buf[:copy(c.buf, c.buf[n:])]
	c.ends = boundaries{dialect: c.dialect}
}

var lineFeed = []byte{'\n'}
