package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"syscall"
	"time"

	"roster/internal/edge"
)

// Limits of a connection, in addition to those of package edge.
const (
	headerTimeout = 10 * time.Second // for the TLS handshake and for the header of a request
	idleTimeout   = 2 * time.Minute
	pingAfter     = 30 * time.Second // of silence on an HTTP/2 connection
	maxHeader     = 64 << 10
	maxStreams    = 100
	maxFrame      = 64 << 10 // memory per HTTP/2 connection
)

func newServer(h http.Handler, log *slog.Logger) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true) // a proxy in front may use it
	return &http.Server{
		Protocols:         &protocols,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams, MaxReadFrameSize: maxFrame, SendPingTimeout: pingAfter},
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// Default limits of connections. They take half of the process's limit of open files, since runs and stores need files,
// too. One address may have half of the connections.
const (
	defaultConnections = 2048
	minConnections     = 16
)

// connections returns the limits of the server's connections.
func (c Config) connections() edge.Limits {
	l := edge.Limits{Total: c.MaxConnections, Proxies: c.TrustedProxies}
	if l.Total == 0 {
		l.Total = defaultConnections
		var files syscall.Rlimit
		if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) == nil && files.Cur < 2*defaultConnections {
			l.Total = max(int(files.Cur/2), minConnections)
		}
	}
	l.PerAddress = l.Total / 2
	if c.MaxConnectionsPerAddress != nil {
		l.PerAddress = *c.MaxConnectionsPerAddress
	}
	return l
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
	gate := edge.New(edge.Limits{Total: minConnections})
	gate.Limit(a.debug, http.NotFoundHandler())
	a.background.Go(func() { a.ended(a.debug.Serve(gate.Listen(l))) })
	a.log.Info("serving profiles", "url", "http://"+l.Addr().String()+"/debug/pprof/")
	return nil
}

// secure reports whether the server speaks TLS.
func (a *App) secure() bool { return a.cfg.TLSCert != "" && !a.cfg.Private }

// lastingURL is the URL of the server that listens on the configured address.
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
			a.ended(a.server.ServeTLS(a.gate.Listen(a.listener), a.cfg.TLSCert, a.cfg.TLSKey))
			return
		}
		a.ended(a.server.Serve(a.gate.Listen(a.listener)))
	})
}

// ended reports a server that stopped by itself.
func (a *App) ended(err error) {
	if !errors.Is(err, http.ErrServerClosed) && !a.draining.Load() {
		a.failed <- err
	}
}

// stopServing stops accepting, waits for the requests of existing connections, and then interrupts those that remain.
// Before, the server has reported for a while that it is not ready, so that load balancers send no new requests.
func (a *App) stopServing(ctx context.Context) error {
	if a.debug != nil {
		_ = a.debug.Close()
	}
	if a.closeOperator != nil {
		_ = a.closeOperator()
	}
	if a.listener != nil {
		defer a.listener.Close() // Shutdown closes the listener only if the server began to serve
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
		a.log.Warn("requests were still in progress and were interrupted", "after", drainTimeout)
		return a.server.Close()
	}
	return err
}

// stopAccepting closes the port after load balancers had time to see that the server is not ready.
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
	case <-a.served: // the server failed by itself
		return
	default:
	}
	if err := a.listener.drain(); err != nil {
		a.log.Warn("close the port", "error", err)
	}
	<-a.served
	a.tracker.wait(ctx)
}

// baseURL returns the URL by which a client on this machine reaches the address.
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
