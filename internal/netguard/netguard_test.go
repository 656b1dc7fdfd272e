package netguard

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"
)

func TestPermits(t *testing.T) {
	t.Parallel()
	inside := Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32")},
		Denied: []netip.Prefix{netip.MustParsePrefix("10.1.7.0/24"), netip.MustParsePrefix("1.2.3.0/24"), netip.MustParsePrefix("2a00:1::/32")}}
	for address, want := range map[string]bool{
		"8.8.8.8": true, "1.2.3.4": false, "::ffff:1.2.3.4": false, "10.1.7.1": false, "2606:4700::1111": true, "127.0.0.1": false, "127.8.8.8": false, "::1": false, "::ffff:127.0.0.1": false, "0.0.0.0": false, "::": false,
		"169.254.169.254": false, "fe80::1": false, "10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false, "172.16.0.1": false, "192.168.1.1": false, "fc00::1": false, "fd00:1::5": true,
		"100.64.0.1": false, "198.18.0.1": false, "224.0.0.1": false, "255.255.255.255": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false,
		"2a00:1::1": false, "2a00:1::1%eth0": false, "64:ff9b::7f00:1%lo": false, "2002:7f00:1::%1": false, "::127.0.0.1": false, "fec0::1": false, "168.63.129.16": false, "100.100.100.200": false,
		"fd00:ec2::254": false, "2606:4700::1111%eth0": true,
	} {
		if got := inside.permits(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is permitted: %v", address, got)
		}
	}
}

// TestForms are the forms of addresses that other programs take for loopback, and redirects to it.
func TestForms(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	for _, host := range []string{"2130706433", "0177.0.0.1", "0x7f.1", "127.1", "0", "[::ffff:7f00:1]", "[::1]", "localhost.", "169.254.169.254"} {
		resp, err := (Policy{}).Client().Get("http://" + host + ":1/")
		if err == nil {
			resp.Body.Close()
			t.Errorf("%s answers", host)
			continue
		}
		var lookup *net.DNSError
		if !errors.Is(err, ErrForbidden) && !errors.As(err, &lookup) {
			t.Errorf("%s: %v", host, err)
		}
	}
	redirects := httptest.NewServer(http.RedirectHandler("http://[::1]:1/", http.StatusTemporaryRedirect))
	defer redirects.Close()
	if _, err := (Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}).Client().Get(redirects.URL); !errors.Is(err, ErrForbidden) {
		t.Errorf("a redirect: %v", err)
	}
}

// TestSilence gives up a connection whose other side stops in the middle of an answer, and none that goes on.
func TestSilence(t *testing.T) {
	t.Parallel()
	guard := Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Silence: 200 * time.Millisecond}
	for name, stops := range map[string]bool{"stops": true, "goes on": false} {
		release := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for range 5 {
				if _, err := io.WriteString(w, "some "); err != nil {
					return
				}
				w.(http.Flusher).Flush()
				if stops {
					<-release
					return
				}
				time.Sleep(60 * time.Millisecond)
			}
		}))
		resp, err := guard.Client().Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		var late net.Error
		if stops != (errors.As(err, &late) && late.Timeout()) || !stops && len(text) != 25 {
			t.Errorf("one that %s: %q, %v", name, text, err)
		}
		resp.Body.Close()
		close(release)
		server.Close()
	}
}

// TestClient reaches what is permitted and nothing else, by address and by name.
func TestClient(t *testing.T) {
	t.Parallel()
	reached := false
	secret := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer secret.Close()
	if _, err := (Policy{}).Client().Get(secret.URL); !errors.Is(err, ErrForbidden) {
		t.Errorf("loopback: %v", err)
	}
	if _, err := (Policy{}).Client().Get("http://localhost:1/"); !errors.Is(err, ErrForbidden) {
		t.Errorf("a name of loopback: %v", err)
	}
	if reached {
		t.Error("it was reached")
	}
	resp, err := (Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}).Client().Get(secret.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if !reached {
		t.Error("what the operator allows is not reached")
	}
}
