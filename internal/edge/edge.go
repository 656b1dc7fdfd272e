// Package edge limits the connections of the server before their clients are authenticated. It limits their number in
// total and per address, closes connections that neither send nor read, and determines the address of a client behind a
// proxy.
//
// A connection is known after a request on it had valid credentials. If a limit is reached, a new connection replaces
// the unknown connection that was answered longest ago. So a flood replaces its own connections and affects neither
// known clients nor new health checks.
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

// Limits for unknown connections. A connection may send freeBytes. Further bytes, and strangerCost for each request,
// are charged to the budget of its address. A byte of HTTP/2 counts framesCost times: a frame has as few as 9 bytes and
// costs the server as much as a hundred bytes of HTTP/1. One in answerShare bytes of answers counts too, so endless
// requests for large answers are limited.
const (
	freeBytes     = 16 << 10
	framesCost    = 8
	answerShare   = 8
	strangerCost  = 1 << 10
	strangerBytes = 256 << 10 // per second
	strangerBurst = 2 << 20
)

// Limits are the limits of connections. Each additional HTTP/2 stream on a connection counts as a connection.
type Limits struct {
	Total      int
	PerAddress int // 0 for no limit
	// Proxies are the networks of proxies whose X-Forwarded-For or Forwarded header names the client. The limits per
	// address then apply to the client instead of the proxy.
	Proxies []netip.Prefix
	// Registerer registers the metrics; nil for no metrics.
	Registerer prometheus.Registerer
}

// Gate manages all connections of a server.
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
	address netip.Addr // as returned by Counted; of a proxy the full address
	proxy   bool
	conns   map[*Conn]struct{}
	load    int // connections, additional streams, and requests through proxies
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

// Listen returns a listener whose connections pass the gate.
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

// admit adds a connection, or returns nil if a limit is reached and no connection can be evicted.
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
		g.release(c.peer)
	}
	g.mu.Unlock()
	if !ok {
		return nil
	}
	return c
}

// peer returns the peer at an address. The caller holds the lock, here and in the functions below.
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

// maxPeers is the number of addresses without a connection that are kept.
const maxPeers = 10_000

// release removes a peer that has no connections and a full budget.
func (g *Gate) release(p *peer) {
	if p.load == 0 && p.strangers.Tokens() >= strangerBurst {
		delete(g.peers, p.address)
	}
}

// take counts a new connection or stream of a peer, and evicts other connections if necessary. It fails if none can be
// evicted, or if the victim would be the connection of the stream itself.
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

// evict closes one connection of the given peers: the unknown connection that was answered longest ago, or else the
// known connection that has been idle longest.
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

// makeRoom closes connections when the process has too many open files to accept another one.
func (g *Gate) makeRoom() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for range 16 {
		if !g.evict(func(*peer) bool { return true }, nil) {
			return
		}
	}
}

// end closes a connection without notice to the client.
func (g *Gate) end(c *Conn, reason string) {
	g.ended.WithLabelValues(reason).Inc()
	g.remove(c)
	_ = c.Conn.Close() // does not block
}

// remove removes a connection and its streams from the counts.
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
	g.release(c.peer)
}

// share is the part of a limit that known connections may occupy. They are not evicted while in use.
func share(limit int) int { return limit - limit/4 }

// know marks a connection as known, unless there are too many.
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

// sent charges bytes or the cost of a request to an unknown client. It reports whether the budget is exceeded.
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
