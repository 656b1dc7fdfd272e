package unpack

import (
	"fmt"
	"io"
	"sync"

	"roster/internal/background"
)

const (
	// aheadBuffers is the number of buffers of aheadSize bytes between decompression and the reader.
	aheadBuffers = 3
	aheadSize    = 256 << 10
)

// aheadReader reads the data that a goroutine decompresses.
type aheadReader struct {
	full  chan []byte   // unpacked
	empty chan []byte   // to be filled
	quit  chan struct{} // closed by Close
	err   error         // why the goroutine ended; read it only after full is closed
	once  sync.Once

	current []byte // the buffer being read
	rest    []byte // the unread part of current
}

// ahead decompresses o in a goroutine.
func ahead(o *output) *aheadReader {
	r := &aheadReader{full: make(chan []byte, aheadBuffers), empty: make(chan []byte, aheadBuffers), quit: make(chan struct{})}
	for range aheadBuffers {
		r.empty <- make([]byte, aheadSize)
	}
	go func() {
		defer background.Thread()()
		defer close(r.full)
		defer o.close()
		r.err = r.pump(o)
	}()
	return r
}

// pump fills buffers until io.EOF, an error, or Close. A panic of a decoder is reported as a damaged file.
func (r *aheadReader) pump(o *output) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &Error{o.method, fmt.Sprintf("is damaged (%v); upload it again", p)}
		}
	}()
	for {
		var buf []byte
		select {
		case buf = <-r.empty:
		case <-r.quit:
			return io.ErrClosedPipe
		}
		n, err := fill(o, buf)
		if n > 0 {
			r.full <- buf[:n] // never blocks: the channel has room for all buffers
		}
		if err != nil {
			return err
		}
	}
}

// fill reads until the buffer is full. The error is io.EOF only at the end of the text.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	return n, err
}

func (r *aheadReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.current != nil {
			r.empty <- r.current[:cap(r.current)]
			r.current = nil
		}
		buf, ok := <-r.full
		if !ok {
			return 0, r.err
		}
		r.current, r.rest = buf, buf
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Close ends the goroutine and waits for it. It may be called more than once.
func (r *aheadReader) Close() error {
	r.once.Do(func() { close(r.quit) })
	for range r.full {
	}
	return nil
}
