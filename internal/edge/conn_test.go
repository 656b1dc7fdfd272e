package edge

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// reading is the connection of a client that reads so many bytes each time.
type reading struct {
	net.Conn
	bytes    int
	every    time.Duration
	deadline time.Time
}

func (r *reading) SetWriteDeadline(t time.Time) error { r.deadline = t; return nil }

func (r *reading) Write(p []byte) (n int, err error) {
	for n < len(p) {
		if next := time.Now().Add(r.every); next.After(r.deadline) {
			time.Sleep(time.Until(r.deadline))
			return n, os.ErrDeadlineExceeded
		}
		time.Sleep(r.every)
		n = min(n+r.bytes, len(p))
	}
	return n, nil
}

// TestSlowReaders writes answers to clients that read slowly: one that gets on has all of it, one that does not is cut off.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		client reading
		within time.Duration // 0 when all is read
	}{
		"nothing at all":       {reading{bytes: 1, every: time.Hour}, 2 * time.Minute},
		"a byte a second":      {reading{bytes: 1, every: time.Second}, 2 * time.Minute},
		"1500 bytes a second":  {reading{bytes: 1500, every: time.Second}, 0},
		"64 KiB in 28 seconds": {reading{bytes: 1 << 20, every: 28 * time.Second}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, begun := c.client, time.Now()
				conn := &Conn{Conn: &client}
				var err error
				for range 5 {
					if _, err = conn.Write(make([]byte, 1<<20)); err != nil {
						break
					}
				}
				if cut := errors.Is(err, os.ErrDeadlineExceeded); cut != (c.within > 0) || cut && time.Since(begun) > c.within || !cut && err != nil {
					t.Errorf("after %s: %v", time.Since(begun), err)
				}
			})
		})
	}
}

// TestForeignDeadline lets crypto/tls say goodbye by a deadline of its own.
func TestForeignDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, begun := reading{bytes: 1, every: time.Hour}, time.Now()
		conn := &Conn{Conn: &client}
		_ = conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
		if _, err := conn.Write([]byte("bye")); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) > 5*time.Second {
			t.Errorf("after %s: %v", time.Since(begun), err)
		}
	})
}
