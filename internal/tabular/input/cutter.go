package input

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"roster/internal/tabular"
)

// Slack is the number of bytes after the contents of a chunk's buffer, so that words can be loaded without a check of
// the bounds.
const Slack = 64

// Spare is the room in a chunk's buffer after the bytes that are read: slack, and the line feed that the file's last
// line may lack.
const Spare = Slack + 1

// Chunk is a stretch of a file with whole records. The end of the file may cut off the last one.
type Chunk struct {
	Buf    []byte // ends with a line feed, added if missing; slack follows
	Size   int    // bytes of the file: len(buf), or one less
	Line   int64  // of its first byte
	Offset int64  // of its first byte
	Extra  int64  // bytes before it that are in no chunk, such as the byte order mark and the header
}

// Cutter reads a file into a buffer and cuts chunks off it. The caller decides where to cut.
type Cutter struct {
	r      io.Reader
	size   int
	Buf    []byte // read, but not yet part of a chunk; begins with a record
	Line   int64  // of the first byte of buf
	Offset int64  // of the first byte of buf
	Extra  int64
	EOF    bool
	Mac    bool // lines end with a carriage return, which Cutter replaces with a line feed
}

func NewCutter(r io.Reader, size int) Cutter {
	c := Cutter{r: r, size: size, Line: 1}
	c.Buf = c.buffer(0)
	return c
}

// buffers are the buffers of parsed chunks.
var buffers sync.Pool

// buffer returns an empty buffer for at least n bytes, and at least for a chunk.
func (c *Cutter) buffer(n int) []byte {
	if n <= c.size {
		if b, ok := buffers.Get().(*[]byte); ok && cap(*b) == c.size+Spare {
			return (*b)[:0]
		}
	}
	return make([]byte, 0, max(n, c.size)+Spare)
}

// Recycle returns a chunk's buffer for reuse.
func (c *Cutter) Recycle(b []byte) {
	if cap(b) == c.size+Spare {
		buffers.Put(&b)
	}
}

// Fill reads until the buffer is full or the file ends. It enlarges a buffer that is already full.
func (c *Cutter) Fill(ctx context.Context) error {
	if room := cap(c.Buf) - Spare; len(c.Buf) == room && !c.EOF {
		grown := c.buffer(max(min(2*room, tabular.MaxRecord+1), room+room/2))
		grown = append(grown, c.Buf...)
		c.Recycle(c.Buf)
		c.Buf = grown
	}
	for !c.EOF && len(c.Buf) < cap(c.Buf)-Spare {
		free := c.Buf[len(c.Buf) : cap(c.Buf)-Spare]
		n, eof, err := readSome(ctx, c.r, free, c.Offset+int64(len(c.Buf)))
		if err != nil {
			return err
		}
		if c.Mac {
			ReadReturns(free[:n])
		}
		c.Buf, c.EOF = c.Buf[:len(c.Buf)+n], eof
	}
	return nil
}

// readSome reads once; before is the number of bytes read before, for the error.
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
		return n, false, &tabular.FileError{Code: "READ", Message: fmt.Sprintf("reading failed after %d bytes", before+int64(n)), Err: err}
	}
	return n, false, nil
}

// ReadReturns replaces carriage returns with line feeds.
func ReadReturns(b []byte) {
	for i, c := range b {
		if c == '\r' {
			b[i] = '\n'
		}
	}
}

// Cut makes a chunk of the first n bytes of the buffer and keeps the others.
func (c *Cutter) Cut(n int) Chunk {
	var rest []byte
	if !c.EOF || n < len(c.Buf) {
		rest = append(c.buffer(len(c.Buf)-n), c.Buf[n:]...)
	}
	out := Chunk{Buf: c.Buf[:n], Size: n, Line: c.Line, Offset: c.Offset, Extra: c.Extra}
	c.Line += int64(bytes.Count(out.Buf, LineFeed))
	c.Offset += int64(n)
	c.Extra = 0
	c.Buf = rest
	if out.Buf[n-1] != '\n' {
		out.Buf = append(out.Buf, '\n')
	}
	return out
}

// Skip counts bytes that are in no chunk and no longer in the buffer.
func (c *Cutter) Skip(n int) {
	c.Offset += int64(n)
	c.Extra += int64(n)
}

// Discard removes the first n bytes, which will be in no chunk.
func (c *Cutter) Discard(n int) {
	c.Line += int64(bytes.Count(c.Buf[:n], LineFeed))
	c.Offset += int64(n)
	c.Extra += int64(n)
	c.Buf = c.Buf[:copy(c.Buf, c.Buf[n:])]
}

// Rest returns an empty chunk that stands for the bytes in no other chunk.
func (c *Cutter) Rest() Chunk {
	ch := Chunk{Buf: make([]byte, 0, Spare), Offset: c.Offset, Line: c.Line, Extra: c.Extra}
	c.Extra = 0
	return ch
}

var LineFeed = []byte{'\n'}

func TooLong(line int64) error {
	return &tabular.FileError{Code: "LINE_TOO_LONG",
		Message: fmt.Sprintf("the row that begins on line %d is longer than %d MiB; is a quote not closed?", line, tabular.MaxRecord>>20)}
}

// WindowSize is the number of a file's first bytes from which its dialect is detected.
const WindowSize = 64 << 10

// Window reads the first bytes of a file and returns them and a reader of the whole file.
func Window(ctx context.Context, r io.Reader) (head []byte, whole io.Reader, err error) {
	head = make([]byte, 0, WindowSize)
	for eof := false; !eof && len(head) < WindowSize; {
		var n int
		if n, eof, err = readSome(ctx, r, head[len(head):WindowSize], int64(len(head))); err != nil {
			return nil, nil, err
		}
		head = head[:len(head)+n]
	}
	return head, io.MultiReader(bytes.NewReader(head), r), nil
}
