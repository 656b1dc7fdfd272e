// Package netguard keeps tenants from reaching the inside of a network through Roster: connections and webhooks that they
// describe may lead to public addresses only, and to the networks that the operator allows.
package netguard

import (
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
var ErrForbidden = errors.New("the address is not a public one, and the operator has not allowed its network, or has denied it")

// Guard knows the networks that may be reached beside public addresses, and those that may not be in any case.
type Guard struct {
	Allowed, Denied []netip.Prefix
}

// control is asked for each address that is about to be connected to: after names were resolved, and after redirects.
func (g Guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !g.permits(to.Addr().Unmap().WithZone("")) { // no network has an address with a zone
		return fmt.Errorf("%s: %w", to.Addr(), ErrForbidden)
	}
	return nil
}

// shared are networks that are neither private nor public: of carriers (RFC 6598), protocols, documentation, benchmarks,
// sites (RFC 3879), reserved ones, and those that lead to IPv4 addresses by others.
var shared = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("3fff::/20"), netip.MustParsePrefix("5f00::/16"), netip.MustParsePrefix("fec0::/10"),
}

func (g Guard) permits(a netip.Addr) bool {
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

// Dialer connects to what the guard permits.
func (g Guard) Dialer() *net.Dialer {
	return &net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second, ControlContext: g.control}
}

// Client is an HTTP client that reaches what the guard permits, and no proxy.
func (g Guard) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: g.Dialer().DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 15 * time.Second,
		ResponseHeaderTimeout: time.Minute, IdleConnTimeout: 90 * time.Second, MaxIdleConnsPerHost: 16, DisableCompression: true}}
}
