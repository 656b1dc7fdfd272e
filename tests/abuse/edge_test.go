package abuse

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// host is the server's address.
func (s *server) host() string {
	u, err := url.Parse(s.c.BaseURL)
	if err != nil {
		s.t.Fatal(err)
	}
	return u.Host
}

// raw connects from a loopback address and sends a text.
func (s *server) raw(from, text string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 30 * time.Second}
	c, err := d.Dial("tcp", s.host())
	if err != nil {
		return nil, err
	}
	s.t.Cleanup(func() { c.Close() })
	_, err = io.WriteString(c, text)
	return c, err
}

// healthy requests the health over a new connection. The server must respond.
func (s *server) healthy(from string) {
	s.t.Helper()
	for _, path := range []string{"/healthz", "/readyz"} {
		c, err := s.raw(from, "GET "+path+" HTTP/1.1\r\nHost: roster\r\nConnection: close\r\n\r\n")
		if err != nil {
			s.t.Error(err)
			return
		}
		c.SetDeadline(time.Now().Add(20 * time.Second))
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			s.t.Errorf("%s from %s: %v, %v", path, from, resp, err)
		}
	}
}

// headers returns the headers of a caller as text.
func (s *server) headers() string {
	return fmt.Sprintf("Host: roster\r\nAuthorization: Bearer %s\r\nx-api-key: %s\r\nx-gw-ims-org-id: %s\r\nx-sandbox-name: %s\r\nContent-Type: application/json\r\n",
		s.token, s.c.ClientID, s.c.Org, s.c.Sandbox)
}

// TestStalled opens far more connections than the server accepts. Each sends a request that never ends, in various
// ways.
func TestStalled(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.members(200)
	end := s.lookUps(200)
	const post = " HTTP/1.1\r\nHost: roster\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	ways := []string{
		"",
		"GET /healthz HTTP/1.1\r\nHost: ros",
		"POST /ims/token/v3" + post + "Content-Length: 100\r\n\r\ngrant_type=",
		"POST /ims/token/v2" + post + "Transfer-Encoding: chunked\r\n\r\n64\r\ngrant_type=",
		"POST /ims/token/v3" + post + "Content-Length: 100\r\nExpect: 100-continue\r\n\r\n",
		"POST /data/core/ais/external-audience/submit" + post + "Content-Length: 100\r\n\r\n{",
		"PUT /landing/a.csv" + post + "Content-Length: 100000\r\n\r\nemail",
		"OPTIONS *" + post + "Content-Length: 100\r\n\r\n.",
		"PATCH /nowhere" + post + "Content-Length: 100\r\n\r\n.",
		"GET /healthz" + post + "\r\n", // gets a response, then the connection is idle
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	}
	conns := make([]net.Conn, 1200)
	for i := range conns {
		c, err := s.raw("127.0.0.1", ways[i%len(ways)])
		if err != nil && c == nil {
			t.Fatal(err)
		}
		conns[i] = c
		if i%200 == 199 {
			s.healthy("127.0.0.1")
			s.healthy("127.0.0.2")
		}
	}
	var wg sync.WaitGroup
	for i, c := range conns {
		if i%len(ways) == 9 {
			continue // the server may keep it while it is idle
		}
		wg.Go(func() {
			c.SetDeadline(time.Now().Add(90 * time.Second))
			if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
				t.Errorf("still open: %.60q", ways[i%len(ways)])
			}
		})
	}
	wg.Wait()
	s.healthy("127.0.0.1")
	end()
}

// TestStalledByTenant sends bodies of a known caller that stop. The server cuts them off, and serves others.
func TestStalledByTenant(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.members(200)
	end := s.lookUps(200)
	const many = 300
	var wg sync.WaitGroup
	for i := range many {
		head := []string{"POST /data/core/ais/external-audience/submit", "PUT /landing/a" + fmt.Sprint(i) + ".csv", "POST /data/core/ups/access/entities"}[i%3]
		c, err := s.raw("127.0.0.1", head+" HTTP/1.1\r\n"+s.headers()+"Content-Length: 100000\r\n\r\n{")
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			c.SetDeadline(time.Now().Add(3 * time.Minute))
			if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
				t.Errorf("still open: %s", head)
			}
		})
		if i%50 == 49 {
			s.healthy("127.0.0.1")
			s.healthy("127.0.0.2")
		}
	}
	wg.Wait()
	end()
}

// TestSlowReader requests much data and reads none of it.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.members(200)
	end := s.lookUps(200)
	var ask strings.Builder
	for range 2000 {
		ask.WriteString("GET /openapi.yaml HTTP/1.1\r\nHost: roster\r\n\r\n")
	}
	for range 100 {
		if _, err := s.raw("127.0.0.1", ask.String()); err != nil {
			break // the server accepts no more until the response is read
		}
	}
	s.healthy("127.0.0.1")
	end()
}

// TestFloodsOfFrames sends the HTTP/2 frames that keep a server busiest, over several connections.
func TestFloodsOfFrames(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.members(200)
	end := s.lookUps(200)
	wait := elsewhere(t, "frames", s.host())
	s.healthy("127.0.0.1")
	s.healthy("127.0.0.2")
	wait()
	s.healthy("127.0.0.1")
	end()
}
