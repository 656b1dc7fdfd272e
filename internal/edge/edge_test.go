package edge

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// world is a server behind a gate. A request whose path is /known proves who sends it, one to /wait is answered when the test says so, one to
// /large has an answer of 256 KiB.
type world struct {
	*Gate
	t       *testing.T
	address string
	waiting chan struct{} // takes one for each request that waits
	release chan struct{}
}

func newWorld(t *testing.T, l Limits) *world {
	t.Helper()
	w := &world{Gate: New(l), t: t, waiting: make(chan struct{}, 100), release: make(chan struct{})}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s := &http.Server{Protocols: &protocols, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/known":
			MarkAuthenticated(r.Context())
		case "/wait":
			w.waiting <- struct{}{}
			<-w.release
		case "/known/wait":
			MarkAuthenticated(r.Context())
			w.waiting <- struct{}{}
			<-w.release
		case "/large":
			_, _ = rw.Write(make([]byte, 256<<10))
			return
		}
		fmt.Fprint(rw, r.RemoteAddr)
	})}
	w.Limit(s, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "crowded", http.StatusTooManyRequests) }))
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.address = port.Addr().String()
	go s.Serve(w.Listen(port))
	t.Cleanup(func() { s.Close() })
	return w
}

// client is a connection of HTTP/1.
type client struct {
	net.Conn
	t  *testing.T
	in *bufio.Reader
}

// dial connects from a loopback address.
func (w *world) dial(from string) *client {
	w.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", w.address)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return &client{c, w.t, bufio.NewReader(c)}
}

func (c *client) send(path string, headers ...string) {
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: roster\r\n%s\r\n", path, strings.Join(append(headers, ""), "\r\n"))
}

// answer reads an answer; "" when the connection is closed.
func (c *client) answer() string {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return fmt.Sprint(resp.StatusCode, " ", string(body))
}

func (c *client) ask(path string, headers ...string) string {
	c.t.Helper()
	c.send(path, headers...)
	return c.answer()
}

func (c *client) alive(path string) bool { return strings.HasPrefix(c.ask(path), "200") }

// TestCrowd connects more often than is allowed from an address: whoever was not answered for longest makes way, those that are known
// do not, and another address has its own share.
func TestCrowd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{Total: 100, PerAddress: 8})
	known, other, first := w.dial("127.0.0.1"), w.dial("127.0.0.2"), w.dial("127.0.0.1")
	for _, c := range []*client{first, known, other} {
		path := map[bool]string{true: "/known", false: "/"}[c == known]
		if !c.alive(path) {
			t.Fatal("not answered")
		}
	}
	for range 50 {
		if c := w.dial("127.0.0.1"); !c.alive("/") {
			t.Fatal("a connection that came last is not answered")
		}
	}
	if first.alive("/") {
		t.Error("the oldest connection is open")
	}
	if !known.alive("/") || !other.alive("/") {
		t.Error("a connection that is known, or of another address, made way")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.load > 9 {
		t.Errorf("%d connections", w.load)
	}
}

// TestTotal fills the server from one address, which has no limit of its own: its connections make way for those of others.
func TestTotal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{Total: 20})
	other := w.dial("127.0.0.2")
	if !other.alive("/") {
		t.Fatal("not answered")
	}
	for range 60 {
		w.dial("127.0.0.1").ask("/")
	}
	if !other.alive("/") || !w.dial("127.0.0.3").alive("/") {
		t.Error("an address with few connections made way for one with many")
	}
}

// TestBusy has known connections in use take all the room that they may: others still come through, one after another.
func TestBusy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{Total: 16, PerAddress: 8})
	for range 20 {
		w.dial("127.0.0.1").send("/known/wait")
	}
	for range 6 { // three quarters are known and stay
		<-w.waiting
	}
	for range 10 {
		if !w.dial("127.0.0.1").alive("/") {
			t.Error("a connection beside many that are in use is not answered")
		}
	}
	close(w.release)
}

// TestStreams counts streams beside others of a connection of HTTP/2 as connections.
func TestStreams(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{Total: 100, PerAddress: 8})
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	h := &http.Client{Transport: &http.Transport{Protocols: &protocols}}
	get := func(path string) int {
		resp, err := h.Get("http://" + w.address + path)
		if err != nil {
			return 0
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if get("/known") != 200 {
		t.Fatal("not answered")
	}
	statuses := make(chan int)
	for range 12 {
		go func() { statuses <- get("/wait") }()
	}
	for range 8 {
		<-w.waiting
	}
	for range 4 {
		if status := <-statuses; status != http.StatusTooManyRequests {
			t.Errorf("a stream too many: %d", status)
		}
	}
	close(w.release)
	for range 8 {
		if status := <-statuses; status != 200 {
			t.Errorf("a stream that there is room for: %d", status)
		}
	}
}

// TestFlood ends a connection that asks on and on without proving anything, but no other one of its address.
func TestFlood(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{Total: 100, PerAddress: 50})
	c := w.dial("127.0.0.1")
	n := 0
	for ; c.alive("/") && n < 1_000_000; n++ {
	}
	if n < 1000 || n == 1_000_000 {
		t.Errorf("ended after %d requests", n)
	}
	if next := w.dial("127.0.0.1"); !next.alive("/") || !next.alive("/known") {
		t.Error("another connection of the address is not answered")
	}
}

// TestForgotten keeps nothing of addresses whose connections have ended.
func TestForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{Total: 16, PerAddress: 8})
	for i := range 50 {
		c := w.dial(fmt.Sprintf("127.0.1.%d", i+1))
		c.ask("/")
		c.Close()
	}
	for deadline := time.Now().Add(30 * time.Second); ; <-time.After(time.Millisecond) {
		w.mu.Lock()
		load, peers := w.load, len(w.peers)
		w.mu.Unlock()
		if load == 0 && peers <= 50 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections, %d addresses", load, peers)
		}
	}
}

func TestForwarded(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	w := newWorld(t, Limits{Total: 100, PerAddress: 4, Proxies: proxies})
	for _, c := range []struct{ header, want string }{
		{"X-Forwarded-For: 192.0.2.7", "192.0.2.7:0"},
		{"X-Forwarded-For: 198.51.100.1, 192.0.2.7", "192.0.2.7:0"}, // the client said the first one
		{"X-Forwarded-For: 192.0.2.7, 10.1.1.1", "192.0.2.7:0"},
		{"X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 192.0.2.7, 10.1.1.1", "192.0.2.7:0"},
		{"X-Forwarded-For: 192.0.2.7:4711", "192.0.2.7:0"},
		{"X-Forwarded-For: nobody, 10.1.1.1", "10.1.1.1:0"},
		{"X-Forwarded-For: 2001:db8::1", "[2001:db8::1]:0"},
		{"X-Forwarded-For: [2001:db8::1]:80, fd00::5", "[2001:db8::1]:0"},
		{"X-Forwarded-For: ::ffff:192.0.2.7", "192.0.2.7:0"},
		{`Forwarded: for=198.51.100.1, for="[2001:db8::1]:80";proto=https`, "[2001:db8::1]:0"},
		{"Forwarded: proto=https;For=192.0.2.7", "192.0.2.7:0"},
		{"X-Forwarded-For: 192.0.2.7\r\nForwarded: for=198.51.100.1", "192.0.2.7:0"},
	} {
		if got := w.dial("127.0.0.1").ask("/", c.header); got != "200 "+c.want {
			t.Errorf("%s: %q, want %s", c.header, got, c.want)
		}
	}
	for _, c := range []struct{ from, header string }{{"127.0.0.2", "X-Forwarded-For: 192.0.2.7"}, {"127.0.0.1", "X-Forwarded-For: nonsense"}, {"127.0.0.1", "Forwarded: for=_hidden"}} {
		if got := w.dial(c.from).ask("/", c.header); !strings.HasPrefix(got, "200 "+c.from+":") {
			t.Errorf("%s from %s: %q", c.header, c.from, got)
		}
	}
	for range 4 {
		w.dial("127.0.0.1").send("/wait", "X-Forwarded-For: 192.0.2.7")
		<-w.waiting
	}
	if got := w.dial("127.0.0.1").ask("/", "X-Forwarded-For: 192.0.2.7"); !strings.HasPrefix(got, "429") {
		t.Errorf("a client behind a proxy with too many requests: %q", got)
	}
	if got := w.dial("127.0.0.1").ask("/", "X-Forwarded-For: 192.0.2.8"); !strings.HasPrefix(got, "200") {
		t.Errorf("another client behind the proxy: %q", got)
	}
	close(w.release)
}

// TestAnswerBeforeBody gets the answer to a request whose body does not come, and the end of its connection.
func TestAnswerBeforeBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{Total: 16, PerAddress: 8})
	for _, head := range []string{
		"POST / HTTP/1.1\r\nHost: roster\r\nContent-Length: 1000\r\n\r\nx",
		"POST / HTTP/1.1\r\nHost: roster\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
		"PUT / HTTP/1.1\r\nHost: roster\r\nContent-Length: 100000000\r\nExpect: 100-continue\r\n\r\n",
		"PUT / HTTP/1.1\r\nHost: roster\r\nContent-Length: 100000000\r\n\r\nx",
		"OPTIONS * HTTP/1.1\r\nHost: roster\r\nContent-Length: 1000\r\n\r\nx",
	} {
		c := w.dial("127.0.0.1")
		fmt.Fprint(c, head)
		if got := c.answer(); !strings.HasPrefix(got, "200") {
			t.Errorf("%q: %q", head, got)
		}
		if n, err := c.in.Read(make([]byte, 1)); n > 0 || err != io.EOF {
			t.Errorf("%q: the connection is open: %v", head, err)
		}
	}
}

// FuzzForwarded: what stands before the address that counts changes nothing, and proxies behind it neither.
func FuzzForwarded(f *testing.F) {
	g := New(Limits{Total: 1, Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}})
	for _, seed := range []string{"", "192.0.2.1", "10.0.0.1, 192.0.2.1", "[2001:db8::1]:80", "for=192.0.2.1;by=10.0.0.1", `for="[fd00::1%eth0]:80"`, "::ffff:10.0.0.1", "unknown", ","} {
		f.Add("X-Forwarded-For", seed, "203.0.113.9")
		f.Add("Forwarded", seed, "for=203.0.113.9")
		f.Add("X-Forwarded-For", seed, "")
	}
	f.Fuzz(func(t *testing.T, name, value, invented string) {
		if name != "Forwarded" {
			name = "X-Forwarded-For"
		}
		client := func(values ...string) (netip.Addr, bool) { return g.client(http.Header{name: values}) }
		a, ok := client(value)
		if ok != a.IsValid() || a.Zone() != "" || a.Is4In6() {
			t.Fatalf("%s: %q: the client is %v, %v", name, value, a, ok)
		}
		if !ok || value == "" {
			return
		}
		proxy := "10.1.2.3"
		if name == "Forwarded" {
			proxy = "for=10.1.2.3"
		}
		if b, _ := client(value, proxy); b != a {
			t.Errorf("%s: %q: the client is %v, and behind one more proxy %v", name, value, a, b)
		}
		if b, _ := client(invented, value); b != a && !g.trusts(a) {
			t.Errorf("%s: %q: the client is %v, and with an invention before it %v", name, value, a, b)
		}
	})
}

// TestLargeAnswers ends a connection that asks for large answers on and on without proving anything.
func TestLargeAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Limits{Total: 100, PerAddress: 50})
	c := w.dial("127.0.0.1")
	got := 0
	for ; got < 1000; got++ {
		c.send("/large")
		resp, err := http.ReadResponse(c.in, nil)
		if err != nil {
			break
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			break
		}
	}
	if got < 10 || got == 1000 {
		t.Errorf("ended after %d answers of 256 KiB", got)
	}
	known := w.dial("127.0.0.2")
	if !known.alive("/known") {
		t.Fatal("not answered")
	}
	for range 100 {
		known.send("/large")
		resp, err := http.ReadResponse(known.in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
	}
}
