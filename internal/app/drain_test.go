package app

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// TestDrain closes a port while connections wait that nobody has accepted: each of them is answered, and no later one.
func TestDrain(t *testing.T) {
	t.Parallel()
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newDrainer(port.(*net.TCPListener))
	var stopping atomic.Bool
	stopping.Store(true)
	server := newServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "here") }), slog.New(slog.DiscardHandler))
	tracker := admit(server, &stopping)
	var conns []net.Conn
	for range 20 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: roster\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := l.drain(); err != nil {
			t.Error(err)
		}
	})
	for !l.draining.Load() { // the port is asked to close before anybody accepts
	}
	_ = server.Serve(l)
	ended.Wait()
	tracker.wait(t.Context())
	if err := server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, c := range conns {
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || string(body) != "here" || !resp.Close {
			t.Errorf("connection %d: %q, close %v, %v", i, body, resp.Close, err)
		}
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("the port is open")
	}
}
