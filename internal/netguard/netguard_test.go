package netguard

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestPermits(t *testing.T) {
	t.Parallel()
	inside := Guard{Allowed: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32")},
		Denied: []netip.Prefix{netip.MustParsePrefix("10.1.7.0/24"), netip.MustParsePrefix("1.2.3.0/24")}}
	for address, want := range map[string]bool{
		"8.8.8.8": true, "1.2.3.4": false, "::ffff:1.2.3.4": false, "10.1.7.1": false, "2606:4700::1111": true, "127.0.0.1": false, "127.8.8.8": false, "::1": false, "::ffff:127.0.0.1": false, "0.0.0.0": false, "::": false,
		"169.254.169.254": false, "fe80::1": false, "10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false, "172.16.0.1": false, "192.168.1.1": false, "fc00::1": false, "fd00:1::5": true,
		"100.64.0.1": false, "198.18.0.1": false, "224.0.0.1": false, "255.255.255.255": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false,
		"::7f00:1": false, "fec0::1": false, "100::1": false, "3fff::1": false, "5f00::1": false,
	} {
		if got := inside.permits(netip.MustParseAddr(address).Unmap()); got != want {
			t.Errorf("%s is permitted: %v", address, got)
		}
	}
}

// TestZones gives addresses zones, which take them out of no network.
func TestZones(t *testing.T) {
	t.Parallel()
	g := Guard{Denied: []netip.Prefix{netip.MustParsePrefix("2606:4700::/32")}}
	for _, address := range []string{"[2606:4700::1%lo]:443", "[64:ff9b::7f00:1%lo]:443", "[fe80::1%lo]:443"} {
		if err := g.control(t.Context(), "tcp6", address, nil); !errors.Is(err, ErrForbidden) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestClient reaches what is permitted and nothing else, by address and by name.
func TestClient(t *testing.T) {
	t.Parallel()
	reached := false
	secret := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer secret.Close()
	if _, err := (Guard{}).Client().Get(secret.URL); !errors.Is(err, ErrForbidden) {
		t.Errorf("loopback: %v", err)
	}
	if _, err := (Guard{}).Client().Get("http://localhost:1/"); !errors.Is(err, ErrForbidden) {
		t.Errorf("a name of loopback: %v", err)
	}
	if reached {
		t.Error("it was reached")
	}
	resp, err := (Guard{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}).Client().Get(secret.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if !reached {
		t.Error("what the operator allows is not reached")
	}
}
