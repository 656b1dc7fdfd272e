package edge

import (
	"net/http"
	"net/netip"
	"strings"
)

// trusts reports whether an address is that of a proxy.
func (g *Gate) trusts(a netip.Addr) bool {
	for _, p := range g.limits.Proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// forwarded returns a request of a proxy with the address of its client, and counts it for the client until leave is
// called. leave is nil if the client has too many requests.
func (g *Gate) forwarded(r *http.Request) (_ *http.Request, leave func()) {
	client, ok := g.client(r.Header)
	if !ok {
		return r, func() {}
	}
	as := *r
	as.RemoteAddr = netip.AddrPortFrom(client, 0).String()
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.peer(Counted(client), false)
	if g.limits.PerAddress > 0 && p.load >= g.limits.PerAddress {
		return &as, nil
	}
	p.load++ // the connection counts in the total
	return &as, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		p.load--
		g.release(p)
	}
}

// client returns the last address in the headers that is not a trusted proxy. Earlier entries may be forged.
func (g *Gate) client(h http.Header) (netip.Addr, bool) {
	said := strings.Join(h.Values("X-Forwarded-For"), ",") // the client may have sent an empty one before that of the proxy
	if strings.Trim(said, ", ") == "" {
		said = strings.Join(h.Values("Forwarded"), ",")
	}
	hops := strings.Split(said, ",")
	var last netip.Addr
	for i := len(hops) - 1; i >= 0; i-- {
		a, ok := hop(hops[i])
		if !ok {
			break
		}
		if last = a; !g.trusts(a) {
			break
		}
	}
	return last, last.IsValid()
}

// hop parses an address in X-Forwarded-For, or an element of Forwarded.
func hop(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if strings.ContainsRune(text, '=') {
		var found string
		for pair := range strings.SplitSeq(text, ";") {
			name, value, _ := strings.Cut(pair, "=")
			if strings.EqualFold(strings.TrimSpace(name), "for") {
				found = strings.Trim(strings.TrimSpace(value), `"`)
			}
		}
		text = found
	}
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	ap, err := netip.ParseAddrPort(text)
	return ap.Addr().Unmap().WithZone(""), err == nil
}
