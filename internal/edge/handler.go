package edge

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"time"
)

// Limits for a client that sends a body. A request has no total time limit, because an upload may take hours, but it
// must make progress: every read must receive data within sendWithin, and after an initial sendWithin the average must
// be slowestBody bytes per second. A client without valid credentials has strangerTime for the whole body. A body that
// the handler does not read has drainWithin to arrive.
const (
	sendWithin   = 30 * time.Second
	slowestBody  = 1 << 10
	strangerTime = 10 * time.Second
	drainWithin  = 2 * time.Second
)

// handler enforces the time limits of requests, and counts the requests that share a connection.
type handler struct {
	gate   *Gate
	next   http.Handler
	refuse http.Handler
}

// Limit makes a server use the gate: requests go to its handler, or to refuse if a limit is reached.
func (g *Gate) Limit(s *http.Server, refuse http.Handler) {
	s.Handler = &handler{gate: g, next: s.Handler, refuse: refuse}
	s.ConnContext = connContext
	s.TLSConfig = &tls.Config{GetConfigForClient: clientHello}
	s.DisableGeneralOptionsHandler = true // net/http would answer OPTIONS * itself, and wait for its body without a limit
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
	if r.Body == http.NoBody && r.ProtoMajor == 1 { // the deadlines of the connection are enough
		next.ServeHTTP(w, r)
		return
	}
	x := &exchange{ResponseWriter: w, rc: http.NewResponseController(w), conn: c, streams: r.ProtoMajor > 1}
	if r.Body == http.NoBody {
		x.whole = true
	} else {
		with := *r // net/http recognizes the original body by its type
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
	conn    *Conn // nil if the request did not come through a gate
	streams bool  // HTTP/2: one stream may stall while the connection is read

	body   io.ReadCloser
	whole  bool // the body is read completely
	read   int64
	waited time.Duration // time that reads have waited for the client
}

// Read reads the body, and extends the deadline of its connection.
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
		_ = x.rc.SetReadDeadline(start) // stops waiting for more data
		x.body, x.whole = broken{x.body, err}, true
	}
	return n, err
}

// Close closes the body.
func (x *exchange) Close() error { return x.body.Close() }

// patience is how long the next read may wait for the client. Time that the server itself uses does not count.
func (x *exchange) patience() time.Duration {
	if x.conn != nil && !x.conn.proved.Load() {
		return max(strangerTime-x.waited, 0)
	}
	earned := sendWithin + time.Duration(x.read/slowestBody)*time.Second
	return max(min(sendWithin, earned-x.waited), 0)
}

// broken returns the error of a body that could not be read.
type broken struct {
	io.ReadCloser
	err error
}

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// drain limits the time for the rest of an unread body: net/http waits for it, before and after the answer.
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

// Unwrap returns the underlying writer for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }
