package edge

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"time"
)

// Limits of a client that sends a body. A request has no time limit as a whole, since an upload may take hours, but it must keep
// moving: every read must bring something within sendWithin, and all of them, after that time at the beginning, slowestBody bytes a
// second. Whoever has proved nothing gets strangerTime for all of it. What nobody wants to read has drainWithin to arrive.
const (
	sendWithin   = 30 * time.Second
	slowestBody  = 1 << 10
	strangerTime = 10 * time.Second
	drainWithin  = 2 * time.Second
)

// handler keeps requests moving, and counts those that share a connection.
type handler struct {
	gate   *Gate
	next   http.Handler
	refuse http.Handler
}

// Guard has a server answer through the gate: it hands requests to its handler, and those that there is no room for to refuse.
func (g *Gate) Guard(s *http.Server, refuse http.Handler) {
	s.Handler = &handler{gate: g, next: s.Handler, refuse: refuse}
	s.ConnContext = connContext
	s.TLSConfig = &tls.Config{GetConfigForClient: clientHello}
	s.DisableGeneralOptionsHandler = true // net/http would answer OPTIONS * itself, and wait for its body without end
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	next, c := h.next, connOf(r.Context())
	if c != nil {
		if !c.begin() {
			h.refuse.ServeHTTP(w, r)
			return
		}
		defer c.end()
		if c.peer.proxy {
			var leave func()
			if r, leave = h.gate.forwarded(r); leave == nil {
				next = h.refuse
			} else {
				defer leave()
			}
		}
	}
	if r.Body == http.NoBody && r.ProtoMajor == 1 { // the connection's own deadlines are enough
		next.ServeHTTP(w, r)
		return
	}
	x := &exchange{ResponseWriter: w, rc: http.NewResponseController(w), conn: c, streams: r.ProtoMajor > 1}
	if r.Body == http.NoBody {
		x.whole = true
	} else {
		with := *r // net/http goes on to know the body by its type
		with.Body, x.body = x, r.Body
		r = &with
	}
	next.ServeHTTP(x, r)
	x.drain()
}

// exchange is a request with a body, or one of HTTP/2, and its answer.
type exchange struct {
	http.ResponseWriter
	rc      *http.ResponseController
	conn    *Conn // nil when the request did not come through a gate
	streams bool  // HTTP/2: a connection that reads may have a stream that does not

	body   io.ReadCloser
	whole  bool // the body is read
	read   int64
	waited time.Duration // how long reads have waited for the client
}

// Read reads the body, and moves the deadline of its connection.
func (x *exchange) Read(p []byte) (int, error) {
	start := time.Now()
	_ = x.rc.SetReadDeadline(start.Add(x.patience()))
	n, err := x.body.Read(p)
	x.read += int64(n)
	x.waited += time.Since(start)
	switch {
	case errors.Is(err, io.EOF):
		x.whole = true
		_ = x.rc.SetReadDeadline(time.Time{})
	case err != nil:
		_ = x.rc.SetReadDeadline(start) // nothing more of it is waited for
		x.body, x.whole = broken{x.body, err}, true
	}
	return n, err
}

// Close closes the body.
func (x *exchange) Close() error { return x.body.Close() }

// patience is how long the next read may wait for the client, whose time the server's own work does not count against.
func (x *exchange) patience() time.Duration {
	if x.conn != nil && !x.conn.proved.Load() {
		return max(strangerTime-x.waited, 0)
	}
	earned := sendWithin + time.Duration(x.read/slowestBody)*time.Second
	return max(min(sendWithin, earned-x.waited), 0)
}

// broken is a body that could not be read.
type broken struct {
	io.ReadCloser
	err error
}

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// drain gives the rest of a body that nobody reads a short time: net/http waits for it, before the answer and behind it.
func (x *exchange) drain() {
	if !x.whole {
		_ = x.rc.SetReadDeadline(time.Now().Add(drainWithin))
	}
}

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if status >= http.StatusOK {
		x.drain()
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(p []byte) (n int, err error) {
	if !x.streams {
		x.drain()
		return x.ResponseWriter.Write(p)
	}
	for {
		part := p[n:min(n+maxPart, len(p))]
		_ = x.rc.SetWriteDeadline(time.Now().Add(maxPart / slowestReader * time.Second))
		m, err := x.ResponseWriter.Write(part)
		if n += m; err != nil || n == len(p) {
			return n, err
		}
	}
}

// Unwrap gives http.ResponseController the writer below.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }
