package tabular

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// slack is how many bytes a chunk's buffer has behind its contents, so that words can be loaded without asking
// whether they lie within.
const slack = 64

// spare is what a chunk's buffer has room for behind the bytes that are read: slack, and the line feed that the
// file's last line may lack.
const spare = slack + 1

// textChunk is a stretch of a file: whole records, the last of which may be cut off by the end of the file.
type textChunk struct {
	buf    []byte // ends with a line feed, added if need be; behind it lies slack
	size   int    // bytes of the file: len(buf), or one less
	line   int64  // of its first byte
	offset int64  // of its first byte
	extra  int64  // bytes before it that no chunk holds, such as the byte order mark and the header
}

// cutter reads a file into a buffer and cuts chunks off it. Where to cut is up to the caller.
type cutter struct {
	r      io.Reader
	size   int
	buf    []byte // read, but not yet part of a chunk; begins with a record
	line   int64  // of the first byte of buf
	offset int64  // of the first byte of buf
	extra  int64
	eof    bool
	mac    bool // lines end with a carriage return, which is read as a line feed
}

func newCutter(r io.Reader, size int) cutter {
	c := cutter{r: r, size: size, line: 1}
	c.buf = c.buffer(0)
	return c
}

// buffers are the buffers of chunks that were parsed.
var buffers sync.Pool

// buffer returns an empty buffer for n bytes, at least a chunk.
func (c *cutter) buffer(n int) []byte {
	if n <= c.size {
		if b, ok := buffers.Get().(*[]byte); ok && cap(*b) == c.size+spare {
			return (*b)[:0]
		}
	}
	return make([]byte, 0, max(n, c.size)+spare)
}

// recycle gives a chunk's buffer back.
func (c *cutter) recycle(b []byte) {
	if cap(b) == c.size+spare {
		buffers.Put(&b)
	}
}

// fill reads until the buffer is full or the file ends. A buffer that is full already grows.
func (c *cutter) fill(ctx context.Context) error {
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
func (c *cutter) cut(n int) textChunk {
	var rest []byte
	if !c.eof || n < len(c.buf) {
		rest = append(c.buffer(len(c.buf)-n), c.buf[n:]...)
	}
	out := textChunk{buf: c.buf[:n], size: n, line: c.line, offset: c.offset, extra: c.extra}
	c.line += int64(bytes.Count(out.buf, lineFeed))
	c.offset += int64(n)
	c.extra = 0
	c.buf = rest
	if out.buf[n-1] != '\n' {
		out.buf = append(out.buf, '\n')
	}
	return out
}

// skip counts bytes that no chunk holds and that are not in the buffer any more.
func (c *cutter) skip(n int) {
	c.offset += int64(n)
	c.extra += int64(n)
}

// drop leaves out the first n bytes, which no chunk will hold.
func (c *cutter) drop(n int) {
	c.line += int64(bytes.Count(c.buf[:n], lineFeed))
	c.offset += int64(n)
	c.extra += int64(n)
	c.buf = c.buf[:copy(c.buf, c.buf[n:])]
}

// rest returns a chunk that is empty and stands for the bytes that no other chunk holds.
func (c *cutter) rest() textChunk {
	ch := textChunk{buf: make([]byte, 0, spare), offset: c.offset, line: c.line, extra: c.extra}
	c.extra = 0
	return ch
}

var lineFeed = []byte{'\n'}

func tooLong(line int64) error {
	return &FileError{Code: "LINE_TOO_LONG",
		Message: fmt.Sprintf("the row that begins on line %d is longer than %d MiB; is a quote not closed?", line, maxRecord>>20)}
}

// windowSize is how many of a file's first bytes tell its dialect.
const windowSize = 64 << 10

// window reads the first bytes of a file and returns them and a reader of the whole file.
func window(ctx context.Context, r io.Reader) (head []byte, whole io.Reader, err error) {
	head = make([]byte, 0, windowSize)
	for eof := false; !eof && len(head) < windowSize; {
		var n int
		if n, eof, err = readSome(ctx, r, head[len(head):windowSize], int64(len(head))); err != nil {
			return nil, nil, err
		}
		head = head[:len(head)+n]
	}
	return head, io.MultiReader(bytes.NewReader(head), r), nil
}
