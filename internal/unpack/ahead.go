package unpack

import (
	"fmt"
	"io"
	"sync"

	"roster/internal/background"
)

const (
	// aheadBuffers is how many buffers of aheadSize bytes lie between unpacking and reading.
	aheadBuffers = 3
	aheadSize    = 256 << 10
)

// aheadReader reads what a goroutine unpacks.
type aheadReader struct {
	full  chan []byte   // unpacked
	empty chan []byte   // to be filled
	quit  chan struct{} // closed by Close
	err   error         // why the goroutine ended; to be read after full is closed
	once  sync.Once

	current []byte // the buffer that is read
	rest    []byte // of it
}

// ahead unpacks o in a goroutine.
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

// pump fills buffers until the end, which is io.EOF, an error, or Close. A decoder that panics found a damaged file.
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
			r.full <- buf[:n] // never waits: there are as many places as buffers
		}
		if err != nil {
			return err
		}
	}
}

// fill reads until the buffer is full; io.EOF is the end of the text and of it alone.
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
