// Package netguard prevents tenants from reaching an internal network through Roster. Connections and webhooks of
// tenants may lead only to public addresses and to the networks that the operator allows.
package netguard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// ErrForbidden says that an address may not be reached.
var ErrForbidden = errors.New("the address is not a public one, and the operator has not allowed its network or has denied it")

// silence is how long the peer may neither send nor receive data before the connection fails.
const silence = time.Minute

// Policy decides which addresses may be reached: public ones and allowed networks, except denied networks.
type Policy struct {
	Allowed, Denied []netip.Prefix
	// Silence is how long the peer may neither send nor receive data; 0 means a minute.
	Silence time.Duration
}

// control checks each address before a connection is made, after name resolution and for each redirect.
func (g Policy) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !g.permits(to.Addr()) {
		return fmt.Errorf("%s: %w", to.Addr(), ErrForbidden)
	}
	return nil
}

// shared are networks that are neither private nor public: of carriers (RFC 6598), protocols, documentation,
// benchmarks, reserved and obsolete ones, networks that embed IPv4 addresses, and the address of the host of an Azure
// machine.
var shared = []netip.Prefix{
	netip.MustParsePrefix("168.63.129.16/32"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("3fff::/20"), netip.MustParsePrefix("5f00::/16"), netip.MustParsePrefix("fec0::/10"),
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
}

func (g Policy) permits(a netip.Addr) bool {
	// An address with a zone (its interface) would match no network.
	a = a.WithZone("").Unmap()
	for _, p := range g.Denied {
		if p.Contains(a) {
			return false
		}
	}
	for _, p := range g.Allowed {
		if p.Contains(a) {
			return true
		}
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false // loopback, link-local, multicast and unspecified ones among them
	}
	for _, p := range shared {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// Dial connects to an address that the guard permits. The connection fails if the peer is silent for too long.
func (g Policy) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second, ControlContext: g.control}
	c, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &moving{Conn: c, within: cmp.Or(g.Silence, silence)}, nil
}

// moving is a connection whose deadline is extended by every read and write.
type moving struct {
	net.Conn
	within time.Duration
}

func (m *moving) Read(p []byte) (int, error) {
	if err := m.SetReadDeadline(time.Now().Add(m.within)); err != nil {
		return 0, err
	}
	return m.Conn.Read(p)
}

// Write also extends the deadline of reads, because the peer may be silent while it receives a lot of data.
func (m *moving) Write(p []byte) (int, error) {
	if err := m.SetDeadline(time.Now().Add(m.within)); err != nil {
		return 0, err
	}
	return m.Conn.Write(p)
}

// Client is an HTTP client that connects only to addresses that the guard permits, and uses no proxy.
func (g Policy) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: g.Dial, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 15 * time.Second,
		ResponseHeaderTimeout: time.Minute, IdleConnTimeout: 90 * time.Second, MaxIdleConnsPerHost: 16, DisableCompression: true}}
}
