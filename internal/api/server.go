// Package api serves the REST API: it decodes requests strictly, passes them to the use cases and writes their answers
// in the form of the contract. It is one of the two packages that know HTTP statuses.
package api

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"roster/internal/audience"
	"roster/internal/auth"
	"roster/internal/web"
)

// Config has the parts and settings of the API.
type Config struct {
	Service Service
	Issuer  Issuer
	Log     *slog.Logger
	// Ready returns the reason why the process accepts no requests now, nil if it does. Optional; without it the
	// process always accepts requests.
	Ready func() error
	// Version is the version of the server in the answer of /.
	Version string
	// StoreProperties are Iceberg's properties of the object store that contains the datasets, such as s3.endpoint; without
	// credentials. Optional.
	StoreProperties map[string]string
	// Metrics answers /metrics. Optional; without it /metrics is empty.
	Metrics http.Handler
	// Served is called with the status of each authenticated request. Optional.
	Served func(s audience.Scope, status int)
	// Known is called with the context of each authenticated request. Optional.
	Known func(ctx context.Context)
	// Registerer receives the metrics of requests. Optional.
	Registerer prometheus.Registerer
	// PageKey authenticates the tokens of pages; a random key if nil.
	PageKey []byte
	// RateLimit is how many requests per second an API client may send; 0 means no limit.
	RateLimit float64
}

// server answers requests.
type server struct {
	Config
	shell    *web.Shell
	mux      *http.ServeMux
	spelling []spelling
}

// New returns the handler of the whole API.
func New(cfg Config) http.Handler {
	if cfg.Ready == nil {
		cfg.Ready = func() error { return nil }
	}
	if cfg.PageKey == nil {
		cfg.PageKey = make([]byte, 32)
		_, _ = rand.Read(cfg.PageKey) // never fails
	}
	if cfg.Metrics == nil {
		cfg.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	}
	s := &server{Config: cfg, spelling: []spelling{{"/flowservice/", flowservice + "/"}}, mux: http.NewServeMux()}
	s.shell = web.New(web.Config{Name: "api", Log: cfg.Log, Fail: s.fail, Served: cfg.Served, Known: cfg.Known, Registerer: cfg.Registerer, RateLimit: cfg.RateLimit})
	s.mux.HandleFunc("/", s.nowhere)
	s.mux.HandleFunc(strings.TrimSuffix(inLanding, "/"), s.nowhere) // the mux would redirect it to the folder
	for _, r := range s.routes() {
		s.mux.Handle(r.method+" "+r.path, s.handler(r))
		for _, other := range r.also {
			s.spelling = append(s.spelling, spelling{from: fixed(other), to: fixed(r.path)})
		}
	}
	s.handleIceberg()
	return s.shell.Handler(http.HandlerFunc(s.route))
}

// call is one request to a route, with its caller.
type call struct {
	*http.Request
	actor   audience.Actor
	pageKey []byte     // Config.PageKey
	values  url.Values // the query parameters that the route has
}

// TooManyConnections answers a request that exceeds the limit of its address.
func TooManyConnections(w http.ResponseWriter, _ *http.Request) {
	id := web.Begin(w.Header())
	err := audience.Errorf(audience.TooMany, "too many requests from this address are in progress; repeat the request when another one has ended")
	status, body := refusal(err, id)
	retryAfter(w.Header(), err)
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(status)
	_, _ = w.Write(encode(body))
}

// route passes the request to its route. The mux itself would redirect other spellings of a path, which turns a POST
// into a GET, so it only receives the spelling that it knows.
func (s *server) route(w http.ResponseWriter, r *http.Request) {
	if path, ok := s.canonical(r.URL.EscapedPath()); ok {
		if err := setPath(r, path); err == nil {
			s.mux.ServeHTTP(w, r)
			return
		}
	}
	s.fail(w, r, errNoRoute())
}

func errNoRoute() error {
	return audience.Errorf(audience.NotFound, "there is nothing at this path; /openapi.yaml describes all paths")
}

// nowhere answers a request whose path, or method, has no route.
func (s *server) nowhere(w http.ResponseWriter, r *http.Request) {
	if allowed := s.allowed(r); len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		s.fail(w, r, audience.Errorf(methodNotAllowed, "%.20s is not supported here; use %s", r.Method, strings.Join(allowed, ", ")))
		return
	}
	s.fail(w, r, errNoRoute())
}

// allowed lists the methods with a route for the request's path.
func (s *server) allowed(r *http.Request) []string {
	var list []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		// The pattern of a route contains its method.
		if _, pattern := s.mux.Handler(&http.Request{Method: m, URL: r.URL, Host: r.Host}); strings.Contains(pattern, " ") {
			list = append(list, m)
		}
	}
	return list
}

// handler returns the handler of a route, which authenticates the caller and writes the answer.
func (s *server) handler(rt route) http.Handler {
	if rt.open != nil {
		return rt.open
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		actor, err := s.authenticate(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		if err := s.shell.Authenticated(r.Context(), actor); err != nil {
			s.fail(w, r, err)
			return
		}
		actor.RequestID = web.RequestID(r.Context())
		c := &call{Request: r, actor: actor, pageKey: s.PageKey}
		if err := c.parseQuery(w.Header(), rt.takes); err != nil {
			s.fail(w, r, err)
			return
		}
		a, err := s.once(w, rt, c)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		if t, ok := a.body.(oneTimeSecret); ok {
			a.body = t.body
		}
		if st, ok := a.body.(*web.Stream); ok {
			s.shell.Stream(w, r, st)
			return
		}
		if t, ok := a.body.(tagged); ok {
			a = t.answer(w, r, a)
		}
		if a.body == nil {
			w.WriteHeader(a.status)
			return
		}
		s.write(w, r, a.status, "application/json", a.body)
	})
}

// credentials are the headers that identify the caller, in their usual spelling and as keys of http.Header.
var credentials = [...]struct{ name, key string }{
	{"Authorization", "Authorization"}, {"x-api-key", "X-Api-Key"}, {"x-gw-ims-org-id", "X-Gw-Ims-Org-Id"}, {"x-sandbox-name", "X-Sandbox-Name"},
}

// authenticate returns the caller of a request. It refuses a header that occurs twice with different values, because a
// proxy in front may have used the other value.
func (s *server) authenticate(r *http.Request) (audience.Actor, error) {
	values := [len(credentials)]string{}
	for i, header := range credentials {
		for j, v := range r.Header[header.key] {
			if j > 0 && v != values[i] {
				return audience.Actor{}, audience.InvalidField(header.name, "is given more than once with different values")
			}
			values[i] = v
		}
	}
	return s.Issuer.Authenticate(r.Context(), auth.Headers{Authorization: values[0], APIKey: values[1], Org: values[2], Sandbox: values[3], Remote: r.RemoteAddr})
}
