package edge

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// dripping is a client that sends as many bytes at a time, each so long after the one before.
type dripping struct {
	bytes int
	every time.Duration
	left  int

	deadline time.Time
}

func (d *dripping) Read(p []byte) (int, error) {
	if d.left == 0 {
		return 0, io.EOF
	}
	if next := time.Now().Add(d.every); next.After(d.deadline) {
		time.Sleep(time.Until(d.deadline))
		return 0, os.ErrDeadlineExceeded
	}
	time.Sleep(d.every)
	d.left--
	return min(d.bytes, len(p)), nil
}

func (d *dripping) Close() error { return nil }

// SetReadDeadline is what http.ResponseController calls.
func (d *dripping) SetReadDeadline(t time.Time) error { d.deadline = t; return nil }

func (d *dripping) SetWriteDeadline(time.Time) error { return nil }
func (d *dripping) Header() http.Header              { return nil }
func (d *dripping) Write(p []byte) (int, error)      { return len(p), nil }
func (d *dripping) WriteHeader(int)                  {}

// TestSlowBodies reads bodies of clients that never stall: one that drips is cut off, one that is slow but gets on is not.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		client dripping
		within time.Duration // 0 when the body is read
	}{
		"a byte every 50 seconds":     {dripping{bytes: 1, every: 50 * time.Second, left: 1000}, time.Minute},
		"a byte a second":             {dripping{bytes: 1, every: time.Second, left: 100_000}, 2 * time.Minute},
		"2 KiB a second, for an hour": {dripping{bytes: 2048, every: time.Second, left: 3600}, 0},
		"8 KiB every 7 seconds":       {dripping{bytes: 8 << 10, every: 7 * time.Second, left: 1000}, 0},
		"nothing at all":              {dripping{bytes: 1, every: time.Hour, left: 1}, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, begun := c.client, time.Now()
				var err error
				h := &handler{next: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, err = io.Copy(io.Discard, r.Body) })}
				h.ServeHTTP(&d, &http.Request{Body: &d})
				var slow net.Error
				cut := errors.As(err, &slow) && slow.Timeout()
				if took := time.Since(begun); cut != (c.within > 0) || cut && took > c.within || !cut && err != nil {
					t.Errorf("after %s: %v", took, err)
				}
			})
		})
	}
}
