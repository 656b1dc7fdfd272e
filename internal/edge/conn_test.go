package edge

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"
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
				conn.proved.Store(true)
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
		conn.proved.Store(true)
		_ = conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
		if _, err := conn.Write([]byte("bye")); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) > 5*time.Second {
			t.Errorf("after %s: %v", time.Since(begun), err)
		}
	})
}

// TestCost finds HTTP/2 out however its first bytes are cut.
func TestCost(t *testing.T) {
	t.Parallel()
	const http2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	for name, c := range map[string]struct {
		reads []string
		want  int // of a further byte
	}{
		"HTTP/1":                    {[]string{"GET / HTTP/1.1\r\n"}, 1},
		"a method that begins so":   {[]string{"PRI", "NT / HTTP/1.1\r\n"}, 1},
		"nothing yet":               {nil, 1},
		"HTTP/2":                    {[]string{http2}, framesCost},
		"HTTP/2 byte by byte":       {strings.Split(http2, ""), framesCost},
		"HTTP/2 cut, frames behind": {[]string{http2[:5], http2[5:] + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"}, framesCost},
		"HTTP/2 later":              {[]string{"GET / HTTP/1.1\r\n\r\n", http2}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var conn Conn
			for _, r := range c.reads {
				conn.cost([]byte(r))
			}
			if got := conn.cost([]byte("x")); got != c.want {
				t.Errorf("a byte counts %d times, want %d", got, c.want)
			}
		})
	}
}

// TestCostBehindTLS knows HTTP/2 by what a client offers.
func TestCostBehindTLS(t *testing.T) {
	t.Parallel()
	for want, offers := range map[int][]string{1: {"http/1.1"}, framesCost: {"h2", "http/1.1"}} {
		var conn Conn
		if _, err := clientHello(&tls.ClientHelloInfo{Conn: &conn, SupportedProtos: offers}); err != nil {
			t.Fatal(err)
		}
		if got := conn.cost([]byte("x")); got != want {
			t.Errorf("%q: a byte counts %d times, want %d", offers, got, want)
		}
	}
}
