// Package web is the HTTP shell that the API and the console share: it gives each request an id, recovers from panics, measures and
// logs requests, limits their rate, compresses answers and streams large ones, which give way to other requests. What a request asks for
// and what an error looks like is the business of the handler inside.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"roster/internal/audience"
	"roster/internal/background"
)

// ErrPanic is the error of a request whose handler panicked. The shell has logged the panic.
var ErrPanic = errors.New("a handler panicked")

// Config is what a shell is made of.
type Config struct {
	// Name is the part of the server that the shell serves, in the names of metrics: roster_NAME_request_duration_seconds.
	Name string
	Log  *slog.Logger
	// Fail answers a request that failed before the first byte of its answer.
	Fail func(w http.ResponseWriter, r *http.Request, err error)
	// Served is called with the status of each request whose caller is known. Optional.
	Served func(s audience.Scope, status int)
	// Known is called with the context of each request whose caller is known. Optional.
	Known func(ctx context.Context)
	// Registerer takes the metrics of the requests. Without one none are kept.
	Registerer prometheus.Registerer
	// RateLimit is the number of requests a second that an API client may send; 0 means that there is no limit.
	RateLimit float64
}

// Shell surrounds a handler.
type Shell struct {
	Config
	duration *prometheus.HistogramVec // nil without a Registerer
	limits   limits
}

// New returns a shell, whose metrics it registers.
func New(cfg Config) *Shell {
	if cfg.Served == nil {
		cfg.Served = func(audience.Scope, int) {}
	}
	if cfg.Known == nil {
		cfg.Known = func(context.Context) {}
	}
	s := &Shell{Config: cfg, limits: limits{perSecond: cfg.RateLimit}}
	if cfg.Registerer != nil {
		s.duration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "roster_" + cfg.Name + "_request_duration_seconds", Help: "Time to answer a request, by its route and status.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5, 30},
		}, []string{"method", "route", "status"})
		cfg.Registerer.MustRegister(s.duration)
	}
	return s
}

// Handler returns next in the shell. The route of a request is the pattern that next sets in it, as http.ServeMux does.
func (s *Shell) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(requestIDHeader)
		if !usableRequestID(id) {
			id = uuid.NewString()
		}
		setHeaders(w.Header(), id)
		rec := &recorder{ResponseWriter: w}
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, &request{id: id}))
		started := time.Now()
		background.Request(started)
		defer s.observe(rec, r, started)
		defer s.recovered(rec, r)
		next.ServeHTTP(rec, r)
	})
}

// Begin prepares the answer to a request that no shell surrounds: it sets the headers of every answer and returns a new request id.
func Begin(h http.Header) (requestID string) {
	requestID = uuid.NewString()
	setHeaders(h, requestID)
	return requestID
}

// setHeaders sets the headers of every answer.
func setHeaders(h http.Header, requestID string) {
	h.Set(requestIDHeader, requestID)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
}

// Authenticated records the caller of a request, which metrics and log lines then name by its organization and sandbox. Its error is a
// TooMany error of a client that has used up its rate.
func (s *Shell) Authenticated(ctx context.Context, a audience.Actor) error {
	s.Known(ctx)
	requestOf(ctx).scope = a.Scope
	return s.limits.take(a.ClientID, time.Now())
}

// recovered answers a request whose handler panicked.
func (s *Shell) recovered(w *recorder, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	s.LogOf(r.Context()).Error("a handler panicked", "method", r.Method, "route", r.Pattern, "panic", p, "stack", string(debug.Stack()))
	if w.status == 0 {
		s.Fail(w, r, ErrPanic)
	}
}

// observe records how long the request took.
func (s *Shell) observe(w *recorder, r *http.Request, started time.Time) {
	took := time.Since(started)
	_, route, _ := strings.Cut(r.Pattern, " ")
	route = strings.TrimSuffix(route, "{$}")
	if route == "" {
		route = "none"
	}
	method := r.Method
	if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, method) {
		method = "other"
	}
	if s.duration != nil {
		s.duration.WithLabelValues(method, route, strconv.Itoa(w.status)).Observe(took.Seconds())
	}
	if scope := requestOf(r.Context()).scope; scope != (audience.Scope{}) {
		s.Served(scope, w.status)
	}
	if s.Log.Enabled(r.Context(), slog.LevelDebug) { // the log of a request costs more than to ask, and most lines are not wanted
		s.LogOf(r.Context()).Debug("request", "method", method, "route", route, "status", w.status, "took", took)
	}
}
