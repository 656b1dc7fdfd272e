package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// Limits for a client that reads answers slowly. Data is written in parts of at most maxPart bytes. Each part must
// arrive within readWithin, or at a rate of at least slowestReader bytes per second.
const (
	readWithin    = 30 * time.Second
	slowestReader = 1 << 10
	maxPart       = 64 << 10
)

// Conn is a connection of a client.
type Conn struct {
	net.Conn
	gate *Gate
	peer *peer

	proved   atomic.Bool  // a request on it had valid credentials
	known    atomic.Bool  // proved, and protected from eviction
	requests atomic.Int32 // in progress
	answered atomic.Int64 // time of the last answer, or of the opening, in nanoseconds
	strange  atomic.Int64 // cost of bytes and requests before it was known
	frames   atomic.Bool  // the client uses HTTP/2
	opening  int          // received bytes of the HTTP/2 preface, -1 after other data; used only by Read

	// Guarded by the gate's lock.
	streams int // additional HTTP/2 streams
	gone    bool

	// Used only by Write. net/http writes from one goroutine at a time.
	armed   time.Time // the deadline of the connection
	written int64
	arrived int64 // of it, when the deadline was set

	deadline atomic.Int64 // write deadline set by a caller, in nanoseconds
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.proved.Load() && c.gate.sent(c, c.cost(p[:n])) {
		return 0, net.ErrClosed
	}
	return n, err
}

// preface is the beginning of HTTP/2 without TLS.
const preface = "PRI * HTTP/2.0"

// cost returns the cost of bytes from an unknown connection.
func (c *Conn) cost(p []byte) int {
	if c.opening >= 0 && c.opening < len(preface) {
		part := preface[c.opening:min(c.opening+len(p), len(preface))]
		if string(p[:len(part)]) != part {
			c.opening = -1
		} else if c.opening += len(part); c.opening == len(preface) {
			c.frames.Store(true)
		}
	}
	if c.frames.Load() {
		return len(p) * framesCost
	}
	return len(p)
}

// clientHello is tls.Config.GetConfigForClient. It notes whether the client will use HTTP/2: a client that offers
// HTTP/2 gets it.
func clientHello(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if c, ok := hello.Conn.(*Conn); ok && slices.Contains(hello.SupportedProtos, "h2") {
		c.frames.Store(true)
	}
	return nil, nil
}

// Write implements net.Conn. It continues as long as the client reads.
func (c *Conn) Write(p []byte) (n int, err error) {
	for {
		own := c.arm()
		m, err := c.Conn.Write(p[n:min(n+maxPart, len(p))])
		n += m
		c.written += int64(m)
		if m > 0 && !c.proved.Load() && c.gate.sent(c, m/answerShare) {
			return n, net.ErrClosed
		}
		if err != nil && !(own && errors.Is(err, os.ErrDeadlineExceeded) && c.progress()) {
			return n, err
		}
		if n == len(p) {
			return n, nil
		}
	}
}

// arm sets the deadline of the next part, unless a caller has set one. For most parts the current deadline is late
// enough.
func (c *Conn) arm() (own bool) {
	if c.deadline.Load() != 0 {
		c.armed = time.Time{}
		return false
	}
	if now := time.Now(); c.armed.Sub(now) < readWithin {
		c.armed = now.Add(2 * readWithin)
		c.arrived = c.written - unsent(c.Conn)
		_ = c.Conn.SetWriteDeadline(c.armed)
	}
	return true
}

// progress reports, after a deadline has passed, whether enough data has arrived since the deadline was set. The kernel
// frees its send buffer in large steps, so a client may have read continuously although no byte could be written.
func (c *Conn) progress() bool {
	enough := c.written-unsent(c.Conn)-c.arrived >= int64(readWithin/time.Second)*slowestReader
	c.armed = time.Time{}
	return enough
}

// SetWriteDeadline implements net.Conn. A caller's deadline takes precedence over the connection's own.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		c.deadline.Store(0)
		return nil
	}
	c.deadline.Store(t.UnixNano())
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// CloseWrite lets net/http close a connection in such a way that the client can still read the last answer.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.gate.mu.Lock()
	c.gate.remove(c)
	c.gate.mu.Unlock()
	return c.Conn.Close()
}

// begin counts a request. It fails if a limit is reached.
func (c *Conn) begin() bool {
	if c.requests.Add(1) == 1 {
		return true
	}
	c.gate.mu.Lock()
	defer c.gate.mu.Unlock()
	if !c.gone && c.gate.take(c.peer, c) {
		c.streams++
		return true
	}
	c.requests.Add(-1)
	return false
}

// end ends a request that begin counted.
func (c *Conn) end() {
	c.answered.Store(time.Now().UnixNano())
	if c.requests.Add(-1) > 0 {
		c.gate.mu.Lock()
		if !c.gone && c.streams > 0 {
			c.streams--
			c.peer.load--
			c.gate.load--
		}
		c.gate.mu.Unlock()
	}
	if !c.proved.Load() {
		c.gate.sent(c, strangerCost)
	}
}

type connKey struct{}

// connContext is http.Server.ConnContext.
func connContext(ctx context.Context, c net.Conn) context.Context {
	if secure, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = secure.NetConn()
	}
	if conn, ok := c.(*Conn); ok {
		return context.WithValue(ctx, connKey{}, conn)
	}
	return ctx
}

// connOf returns the connection of a request; nil if the request did not come through a gate.
func connOf(ctx context.Context) *Conn {
	c, _ := ctx.Value(connKey{}).(*Conn)
	return c
}

// MarkAuthenticated records that the request with this context has valid credentials.
func MarkAuthenticated(ctx context.Context) {
	c := connOf(ctx)
	if c == nil || c.known.Load() {
		return
	}
	c.proved.Store(true)
	c.gate.know(c)
}

// addressOf is the address of a client or a proxy.
func addressOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// Counted returns the address under which a client's connections are counted: in IPv6 the /64 network, because a client
// has at least that.
func Counted(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
