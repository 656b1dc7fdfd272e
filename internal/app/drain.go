package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// drainNotice is how long a stopping server still accepts connections while it reports that it is not ready and asks
// clients to close theirs.
const drainNotice = 200 * time.Millisecond

// drainer is a listener whose port can be closed without resetting connections that the system has already accepted.
type drainer struct {
	*net.TCPListener
	draining atomic.Bool
	once     sync.Once
	parked   chan struct{} // closed when no goroutine waits in Accept any more
	last     chan net.Conn // connections that had arrived when the port was closed
}

func newDrainer(l *net.TCPListener) *drainer {
	return &drainer{TCPListener: l, parked: make(chan struct{}), last: make(chan net.Conn)}
}

// Accept implements net.Listener. After drain it returns the connections that had arrived, and then net.ErrClosed.
func (d *drainer) Accept() (net.Conn, error) {
	if c, err := d.TCPListener.Accept(); err == nil || !d.draining.Load() {
		return c, err
	}
	d.once.Do(func() { close(d.parked) })
	if c, ok := <-d.last; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

// drain closes the port and hands over the connections that had arrived. The caller must call Accept until it fails.
// The system resets arrived connections that no Accept has taken when the port closes. So drain first makes sure that
// nobody waits in Accept, which keeps the time between the last accepted connection and the end of the port as short as
// possible.
func (d *drainer) drain() error {
	d.draining.Store(true)
	if err := d.SetDeadline(time.Unix(1, 0)); err != nil {
		return err
	}
	<-d.parked
	raw, err := d.SyscallConn()
	if err != nil {
		return err
	}
	var taken []int
	err = errors.Join(raw.Control(func(fd uintptr) {
		for {
			c, _, err := syscall.Accept(int(fd))
			switch {
			case err == nil:
				syscall.CloseOnExec(c)
				taken = append(taken, c)
			case !errors.Is(err, syscall.EINTR) && !errors.Is(err, syscall.ECONNABORTED):
				return
			}
		}
	}), d.Close())
	for _, fd := range taken {
		f := os.NewFile(uintptr(fd), "connection")
		c, failed := net.FileConn(f) // has its own descriptor
		if err = errors.Join(err, failed, f.Close()); failed == nil {
			d.last <- c
		}
	}
	close(d.last)
	return err
}

// greetWithin is how long an accepted connection may stay without a request before it is closed.
const greetWithin = time.Second

// connTracker tracks the connections whose first request is not being answered yet: http.Server.Shutdown closes them
// although their requests may have been sent. While the server stops, connTracker asks clients to close their
// connections, so that no client sends a request on a closing connection.
type connTracker struct {
	handler  http.Handler
	stopping *atomic.Bool

	mu      sync.Mutex
	waiting map[net.Conn]bool
	none    chan struct{} // closed when no connection waits any more; nil while nobody needs to know
}

type connKey struct{}

// admit puts a connTracker in front of a server's handler.
func admit(s *http.Server, stopping *atomic.Bool) *connTracker {
	d := &connTracker{handler: s.Handler, stopping: stopping, waiting: map[net.Conn]bool{}}
	s.Handler = d
	inner := s.ConnContext
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if inner != nil {
			ctx = inner(ctx, c)
		}
		return context.WithValue(ctx, connKey{}, c)
	}
	s.ConnState = func(c net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			d.mu.Lock()
			d.waiting[c] = true
			d.mu.Unlock()
		case http.StateClosed, http.StateHijacked:
			d.leaves(c)
		}
	}
	return d
}

// leaves records that a connection does not wait any more.
func (d *connTracker) leaves(c net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.waiting, c)
	if len(d.waiting) == 0 && d.none != nil {
		close(d.none)
		d.none = nil
	}
}

// wait waits until each connection's first request is being answered, at most for greetWithin. It is called when no
// more connections arrive.
func (d *connTracker) wait(ctx context.Context) {
	d.mu.Lock()
	if len(d.waiting) == 0 {
		d.mu.Unlock()
		return
	}
	none := make(chan struct{})
	d.none = none
	d.mu.Unlock()
	select {
	case <-none:
	case <-time.After(greetWithin):
	case <-ctx.Done():
	}
}

// ServeHTTP implements http.Handler.
func (d *connTracker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c, ok := r.Context().Value(connKey{}).(net.Conn); ok {
		d.leaves(c)
	}
	if d.stopping.Load() {
		w.Header().Set("Connection", "close")
	}
	d.handler.ServeHTTP(w, r)
}
