package tabular

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// Limits of a file.
const (
	maxRecord  = 16 << 20 // bytes of one record
	maxColumns = 10_000
)

// chunk is a stretch of a file: whole records, or the rest of the file.
type chunk struct {
	buf    []byte
	line   int64 // of its first byte
	offset int64 // of its first byte
	extra  int64 // bytes before it that no chunk holds: the byte order mark and the header
}

// chunker cuts a file into chunks.
type chunker struct {
	r      io.Reader
	size   int
	rest   []byte // read, but not yet part of a chunk
	line   int64
	offset int64
	extra  int64
	eof    bool
	free   chan []byte
}

func newChunker(r io.Reader, size, buffers int) *chunker {
	return &chunker{r: r, size: size, line: 1, free: make(chan []byte, buffers)}
}

// buffer returns an empty buffer of at least n bytes.
func (c *chunker) buffer(n int) []byte {
	select {
	case b := <-c.free:
		if cap(b) >= n {
			return b[:0]
		}
	default:
	}
	return make([]byte, 0, n)
}

// recycle gives a chunk's buffer back.
func (c *chunker) recycle(b []byte) {
	if cap(b) < c.size {
		return
	}
	select {
	case c.free <- b:
	default:
	}
}

// next returns the next chunk; io.EOF after the last one.
func (c *chunker) next(ctx context.Context) (chunk, error) {
	buf := append(c.buffer(max(c.size, 2*len(c.rest))), c.rest...)
	c.recycle(c.rest)
	c.rest = nil
	for {
		if err := ctx.Err(); err != nil {
			return chunk{}, err
		}
		if !c.eof {
			n, err := readFull(c.r, buf[len(buf):cap(buf)])
			buf = buf[:len(buf)+n]
			if err == io.EOF {
				c.eof = true
			} else if err != nil {
				return chunk{}, &FileError{Code: "READ", Message: "reading failed after " + fmt.Sprint(c.offset+int64(len(buf))) + " bytes", Err: err}
			}
		}
		if c.eof {
			if len(buf) == 0 {
				return chunk{}, io.EOF
			}
			return c.cut(buf, len(buf)), nil
		}
		if whole := wholeRecords(buf); whole > 0 {
			return c.cut(buf, whole), nil
		}
		if len(buf) > maxRecord {
			return chunk{}, &FileError{Code: "LINE_TOO_LONG", Message: fmt.Sprintf("the record that begins on line %d is longer than %d MiB; is a quote not closed?", c.line, maxRecord>>20)}
		}
		buf = append(c.buffer(2*cap(buf)), buf...)
	}
}

// cut makes a chunk of the first n bytes of buf and keeps the others.
func (c *chunker) cut(buf []byte, n int) chunk {
	c.rest = append(c.buffer(0), buf[n:]...)
	out := chunk{buf: buf[:n], line: c.line, offset: c.offset, extra: c.extra}
	c.line += int64(bytes.Count(out.buf, []byte{'\n'}))
	c.offset += int64(n)
	c.extra = 0
	return out
}

// readFull reads until p is full or the reader ends; unlike io.ReadFull it reports the end only as io.EOF.
func readFull(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var k int
		k, err = r.Read(p[n:])
		n += k
	}
	if errors.Is(err, io.EOF) {
		return n, io.EOF
	}
	return n, err
}
