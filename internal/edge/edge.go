// Package edge guards the connections of the server, before anybody knows whose they are. It bounds how many there are, in total and
// from one address, ends those that neither send nor read, and knows the address of a client behind a proxy.
//
// A connection is known once a request on it has proved who sends it. Where there is no room for another connection, one
// that is not known makes way: the one that was answered longest ago. So a flood replaces its own connections, and neither a
// client that is known nor a health check that has just connected notices.
package edge

import (
	"errors"
	"maps"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
)

// Limits of what is not known yet. A connection may send freeBytes; what is beyond, and strangerCost for each request, comes out of
// what its address may send. A byte of HTTP/2 counts framesCost times: a frame has as few as 9 bytes and keeps the server as busy as a
// hundred bytes of HTTP/1. One of answerShare bytes of answers counts, so that nobody asks for large ones without end.
const (
	freeBytes     = 16 << 10
	framesCost    = 8
	answerShare   = 8
	strangerCost  = 1 << 10
	strangerBytes = 256 << 10 // a second
	strangerBurst = 2 << 20
)

// Limits says how many connections there may be. A stream of HTTP/2 beside another one of its connection counts as a connection.
type Limits struct {
	Total      int
	PerAddress int // 0 means that there is no limit
	// Proxies are the networks of proxies that say in X-Forwarded-For, or in Forwarded, who sends a request. The limit of an
	// address is then that of the client, and not that of the proxy.
	Proxies []netip.Prefix
	// Registerer takes the metrics; none are kept when it is nil.
	Registerer prometheus.Registerer
}

// Gate is all connections of a server.
type Gate struct {
	limits Limits
	ended  *prometheus.CounterVec

	mu    sync.Mutex
	peers map[netip.Addr]*peer
	load  int // of all peers
	known int // connections
}

// peer is an address that connections come from.
type peer struct {
	address netip.Addr // as Counted returns it, but for a proxy
	proxy   bool
	conns   map[*Conn]struct{}
	load    int // connections, streams beside others, and requests through proxies
	known   int // connections

	strangers *rate.Limiter // of bytes
}

// New returns a gate without connections.
func New(l Limits) *Gate {
	g := &Gate{limits: l, peers: map[netip.Addr]*peer{}, ended: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "roster_connections_ended_total", Help: "Connections that the server ended or did not take, by the reason."}, []string{"reason"})}
	if l.Registerer != nil {
		l.Registerer.MustRegister(g.ended, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "roster_connections", Help: "Connections of clients, with the streams of HTTP/2 beside others."}, func() float64 {
			g.mu.Lock()
			defer g.mu.Unlock()
			return float64(g.load)
		}))
	}
	return g
}

// Listen returns a listener whose connections go through the gate.
func (g *Gate) Listen(l net.Listener) net.Listener { return listener{l, g} }

type listener struct {
	net.Listener
	gate *Gate
}

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			l.gate.makeRoom()
		}
		if err != nil {
			return nil, err
		}
		if conn := l.gate.admit(c); conn != nil {
			return conn, nil
		}
		c.Close()
	}
}

// admit takes a connection, or returns nil when there is no room for it and nobody makes way.
func (g *Gate) admit(raw net.Conn) *Conn {
	address := addressOf(raw.RemoteAddr())
	c := &Conn{Conn: raw, gate: g}
	c.answered.Store(time.Now().UnixNano())
	g.mu.Lock()
	if g.trusts(address) {
		c.peer = g.peer(address, true)
	} else {
		c.peer = g.peer(Counted(address), false)
	}
	ok := g.take(c.peer, nil)
	if ok {
		c.peer.conns[c] = struct{}{}
	} else {
		g.ended.WithLabelValues("refused").Inc()
		g.forget(c.peer)
	}
	g.mu.Unlock()
	if !ok {
		return nil
	}
	return c
}

// peer returns the peer at an address. Whoever calls holds the lock, as for all that follows.
func (g *Gate) peer(address netip.Addr, proxy bool) *peer {
	p := g.peers[address]
	if p == nil {
		if len(g.peers) >= maxPeers+g.limits.Total {
			maps.DeleteFunc(g.peers, func(_ netip.Addr, p *peer) bool { return p.load == 0 })
		}
		p = &peer{address: address, proxy: proxy, conns: map[*Conn]struct{}{}, strangers: rate.NewLimiter(strangerBytes, strangerBurst)}
		g.peers[address] = p
	}
	return p
}

// maxPeers bounds how many addresses without a connection are remembered.
const maxPeers = 10_000

// forget drops a peer that there is nothing to know about any more.
func (g *Gate) forget(p *peer) {
	if p.load == 0 && p.strangers.Tokens() >= strangerBurst {
		delete(g.peers, p.address)
	}
}

// take counts one more connection or stream of a peer, for which others make way if they must. It fails when nobody can, or when it
// is the connection of the stream that would have to.
func (g *Gate) take(p *peer, of *Conn) bool {
	if g.limits.PerAddress > 0 && !p.proxy && p.load >= g.limits.PerAddress && !g.evict(func(q *peer) bool { return q == p }, of) {
		return false
	}
	if g.load >= g.limits.Total {
		most := 0
		for _, q := range g.peers {
			if len(q.conns) > 0 {
				most = max(most, q.load)
			}
		}
		if !g.evict(func(q *peer) bool { return q.load == most }, of) && !g.evict(func(*peer) bool { return true }, of) {
			return false
		}
	}
	if of != nil && of.gone {
		return false
	}
	p.load++
	g.load++
	return true
}

// evict ends the connection that is missed least among those of some peers: the unknown one that was answered longest ago, or else
// the known one that has been idle for longest.
func (g *Gate) evict(of func(*peer) bool, but *Conn) bool {
	var victim *Conn
	worse := func(c *Conn) bool {
		if known := c.known.Load(); known && (c.requests.Load() > 0 || c == but) {
			return false
		} else if victim == nil || known != victim.known.Load() {
			return victim == nil || !known
		}
		return c.answered.Load() < victim.answered.Load()
	}
	for _, p := range g.peers {
		if len(p.conns) == 0 || !of(p) {
			continue
		}
		for c := range p.conns {
			if worse(c) {
				victim = c
			}
		}
	}
	if victim == nil {
		return false
	}
	g.end(victim, "crowded")
	return true
}

// makeRoom ends connections when the process has too many files open to take another one.
func (g *Gate) makeRoom() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for range 16 {
		if !g.evict(func(*peer) bool { return true }, nil) {
			return
		}
	}
}

// end closes a connection of which the client is not told.
func (g *Gate) end(c *Conn, reason string) {
	g.ended.WithLabelValues(reason).Inc()
	g.remove(c)
	_ = c.Conn.Close() // which does not wait
}

// remove stops counting a connection and its streams.
func (g *Gate) remove(c *Conn) {
	if c.gone {
		return
	}
	c.gone = true
	delete(c.peer.conns, c)
	weight := 1 + c.streams
	c.peer.load -= weight
	g.load -= weight
	if c.known.Load() {
		c.peer.known--
		g.known--
	}
	g.forget(c.peer)
}

// share is how much of a limit may be known connections, which make no way for others as long as they are used.
func share(limit int) int { return limit - limit/4 }

// know marks a connection as known, unless too many are.
func (g *Gate) know(c *Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := c.peer
	full := g.limits.PerAddress > 0 && !p.proxy && p.known >= share(g.limits.PerAddress)
	if c.gone || c.known.Load() || full || g.known >= share(g.limits.Total) {
		return
	}
	c.known.Store(true)
	p.known++
	g.known++
}

// sent counts bytes that somebody unknown sent, or what a request costs. It reports whether that is too much.
func (g *Gate) sent(c *Conn, bytes int) (tooMuch bool) {
	if c.strange.Add(int64(bytes)) <= freeBytes || c.peer.proxy || g.limits.PerAddress == 0 {
		return false
	}
	if c.peer.strangers.AllowN(time.Now(), bytes) {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !c.gone {
		g.end(c, "flooded")
	}
	return true
}
