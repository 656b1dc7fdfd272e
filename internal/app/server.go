package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// Limits of a connection. A request has no time limit as a whole, since an upload may take hours, but it
// must keep moving: every read of a body must bring something within stallTimeout, and all of it, after that time at the
// beginning, slowestBody bytes a second. Otherwise anybody could keep connections for days by a byte a minute.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	stallTimeout  = time.Minute
	slowestBody   = 1 << 10
	answerTimeout = 5 * time.Minute
	maxHeader     = 64 << 10
)

func newServer(h http.Handler, log *slog.Logger) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true) // a proxy in front may speak it
	return &http.Server{
		Protocols:         &protocols,
		Handler:           keepMoving(h),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// keepMoving ends requests whose client neither sends nor reads.
func keepMoving(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if r.Body == http.NoBody {
			_ = rc.SetWriteDeadline(time.Now().Add(answerTimeout))
		} else {
			_ = rc.SetWriteDeadline(time.Time{})
			_ = rc.SetReadDeadline(time.Now().Add(stallTimeout))
			r.Body = &movingBody{ReadCloser: r.Body, rc: rc}
		}
		h.ServeHTTP(w, r)
	})
}

// movingBody moves the deadlines of its connection with every read. Once the body is read, the answer has
// its time too.
type movingBody struct {
	io.ReadCloser
	rc     *http.ResponseController
	read   int64
	waited time.Duration // how long reads have waited for the client
}

func (b *movingBody) Read(p []byte) (int, error) {
	start := time.Now()
	_ = b.rc.SetReadDeadline(start.Add(b.patience()))
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	b.waited += time.Since(start)
	if err != nil {
		_ = b.rc.SetReadDeadline(time.Time{})
		_ = b.rc.SetWriteDeadline(time.Now().Add(answerTimeout))
	}
	return n, err
}

// patience is how long the next read may wait for the client, whose time the server's own work does not count against.
func (b *movingBody) patience() time.Duration {
	earned := stallTimeout + time.Duration(b.read/slowestBody)*time.Second
	return max(min(stallTimeout, earned-b.waited), 0)
}

// listen opens the ports.
func (a *App) listen() error {
	addr := a.cfg.Listen
	if a.cfg.Private {
		addr = "127.0.0.1:0"
	}
	port, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("--listen, ROSTER_LISTEN: %w", err)
	}
	a.listener = newDrainer(port.(*net.TCPListener))
	a.url = baseURL(a.listener.Addr().String(), a.secure())
	if a.cfg.DebugListen == "" {
		return nil
	}
	l, err := net.Listen("tcp", a.cfg.DebugListen)
	if err != nil {
		return fmt.Errorf("--debug-listen, ROSTER_DEBUG_LISTEN: %w", err)
	}
	a.debug = newServer(profiles(), a.log)
	a.background.Go(func() { a.ended(a.debug.Serve(l)) })
	a.log.Info("serving profiles", "url", "http://"+l.Addr().String()+"/debug/pprof/")
	return nil
}

// secure reports whether the server speaks TLS.
func (a *App) secure() bool { return a.cfg.TLSCert != "" && !a.cfg.Private }

// lastingURL is where the server that listens on the configured address is.
func (a *App) lastingURL() string {
	if a.cfg.Private {
		return baseURL(a.cfg.Listen, a.cfg.TLSCert != "")
	}
	return a.url
}

// serve answers requests in the background.
func (a *App) serve() {
	a.served = make(chan struct{})
	a.background.Go(func() {
		defer close(a.served)
		if a.secure() {
			a.ended(a.server.ServeTLS(a.listener, a.cfg.TLSCert, a.cfg.TLSKey))
			return
		}
		a.ended(a.server.Serve(a.listener))
	})
}

// ended reports a server that ended although nobody asked it to.
func (a *App) ended(err error) {
	if !errors.Is(err, http.ErrServerClosed) && !a.draining.Load() {
		a.failed <- err
	}
}

// stopServing stops accepting and waits for the requests in flight and those of connections that are there, then cuts
// them off. It has said for a while that it is not ready, so that others send no new ones.
func (a *App) stopServing(ctx context.Context) error {
	if a.debug != nil {
		_ = a.debug.Close()
	}
	if a.listener != nil {
		defer a.listener.Close() // Shutdown closes it unless the server never began to serve
	}
	if a.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	if a.served != nil {
		a.stopAccepting(ctx)
	}
	err := a.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		a.log.Warn("requests were still in flight and have been cut off", "after", drainTimeout)
		return a.server.Close()
	}
	return err
}

// stopAccepting closes the port when whoever asks had time to see that the server is not ready.
func (a *App) stopAccepting(ctx context.Context) {
	notice := drainNotice
	if a.cfg.Private {
		notice = 0
	}
	select {
	case <-time.After(notice):
	case <-ctx.Done():
	}
	select {
	case <-a.served: // by an error of its own
		return
	default:
	}
	if err := a.listener.drain(); err != nil {
		a.log.Warn("close the port", "error", err)
	}
	<-a.served
	a.doorman.wait(ctx)
}

// baseURL is how a client on this machine reaches the address.
func baseURL(addr string, secure bool) string {
	host, port, _ := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http"
	if secure {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
