// Package ahead reads a range of a remote object some parts ahead of its reader, and goes on where it was cut off.
package ahead

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"roster/internal/blob"
)

const (
	// firstPart is the first part of an object that is read: whoever only looks at its beginning reads no more. Later
	// parts are of partSize, ahead of them at once: at most 32 MiB of an object are in memory.
	firstPart = 1 << 20
	partSize  = 8 << 20
	ahead     = 4
	// tries is how often a part is asked for that brings nothing new, and firstWait how long the first wait is between.
	tries     = 6
	firstWait = 200 * time.Millisecond
	// A part has partSlack, and the time that its bytes take at the slowest rate. A store that sends less, however steadily, fails:
	// it would hold up a run for days. Parts come several at once, so that a line has to carry several times that.
	partSlack   = time.Minute
	slowestRate = 16 << 10 // bytes a second
)

// Fetch fills a part from an offset, and returns how many bytes it got beside an error. Calls come from several goroutines
// at once.
type Fetch func(ctx context.Context, offset int64, part []byte) (int, error)

// part is a stretch of an object that has been asked for.
type part struct {
	ready chan struct{} // closed when bytes and err are there
	bytes []byte
	err   error
}

// reader reads a range of an object, some parts ahead.
type reader struct {
	fetch  Fetch
	ctx    context.Context
	cancel context.CancelFunc
	next   int64 // where the next part begins
	end    int64
	asked  []*part // in order; the first one is being read
	rest   []byte  // of the first one
	begun  bool
	wg     sync.WaitGroup
}

// Read returns a reader of an object from an offset up to an end.
func Read(ctx context.Context, offset, end int64, f Fetch) io.ReadCloser {
	r := &reader{fetch: f, next: offset, end: end}
	r.ctx, r.cancel = context.WithCancel(ctx)
	return r
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if err := r.advance(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// advance goes to the next part.
func (r *reader) advance() error {
	if len(r.asked) > 0 {
		r.asked = r.asked[1:]
	}
	r.ask()
	if len(r.asked) == 0 {
		return io.EOF
	}
	select {
	case <-r.asked[0].ready:
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
	r.rest = r.asked[0].bytes
	return r.asked[0].err
}

// ask asks for the parts that may be on their way.
func (r *reader) ask() {
	size, most := int64(partSize), ahead
	if !r.begun {
		size, most = firstPart, 1
	}
	r.begun = true
	for r.next < r.end && len(r.asked) < most {
		pt, at := &part{ready: make(chan struct{}), bytes: make([]byte, min(size, r.end-r.next))}, r.next
		r.next += int64(len(pt.bytes))
		r.asked = append(r.asked, pt)
		r.wg.Go(func() {
			defer close(pt.ready)
			if _, pt.err = Fill(r.ctx, at, pt.bytes, r.fetch); pt.err != nil {
				pt.bytes = nil
			}
		})
	}
}

// Fill reads a part whole. What is cut off goes on where it ended; a store that says nothing, or that it has too much to
// do, is asked again after a while. Fill returns how many bytes it got beside an error.
func Fill(parent context.Context, at int64, part []byte, fetch Fetch) (int, error) {
	ctx, done := context.WithTimeout(parent, partSlack+time.Duration(len(part))*time.Second/slowestRate)
	defer done()
	failures, wait, got := 0, firstWait, 0
	for {
		n, err := fetch(ctx, at+int64(got), part[got:])
		if got += n; got == len(part) {
			return got, nil
		}
		if n > 0 {
			failures, wait = 0, firstWait
		}
		if ctx.Err() != nil && parent.Err() == nil {
			return got, fmt.Errorf("%w: it sends less than %d KiB a second", blob.ErrFailed, slowestRate>>10)
		}
		if failures++; failures == tries || final(err) {
			return got, err
		}
		timer := time.NewTimer(wait/2 + rand.N(wait))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		wait *= 2
	}
}

// final reports an error that will not go away.
func final(err error) bool {
	for _, known := range []error{blob.ErrNotExist, blob.ErrChanged, blob.ErrOutside, blob.ErrPermission, blob.ErrCredentials, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// Close implements io.Closer. It waits for what is on its way.
func (r *reader) Close() error {
	r.cancel()
	r.wg.Wait()
	return nil
}
