package web

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"roster/internal/audience"
)

var actor = audience.Actor{ClientID: "c", Scope: audience.Scope{Org: "acme", Sandbox: "prod"}}

// TestShell sends one request of each kind through a shell, and looks at the answer, the log, the metrics and the callbacks.
func TestShell(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		handler func(s *Shell) http.HandlerFunc
		status  int
		body    string
		log     []string // what the log holds
		served  int      // the status that Served is called with; 0 when it is not called
	}{
		{"unknown caller", func(s *Shell) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) { s.Send(w, r, 200, "text/plain", []byte("fine")) }
		}, 200, "fine", []string{"msg=request", "request=test", "status=200", "route=/thing"}, 0},
		{"known caller", func(s *Shell) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if err := s.Authenticated(r.Context(), actor); err != nil {
					t.Error(err)
				}
				s.Send(w, r, 201, "text/plain", []byte(RequestID(r.Context())))
			}
		}, 201, "test", []string{"status=201", "organization=acme", "sandbox=prod"}, 201},
		{"too many", func(s *Shell) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				s.Fail(w, r, errors.Join(s.Authenticated(r.Context(), actor), s.Authenticated(r.Context(), actor)))
			}
		}, 500, "requests a second", []string{"status=500"}, 500},
		{"panic", func(*Shell) http.HandlerFunc {
			return func(http.ResponseWriter, *http.Request) { panic("boom") }
		}, 500, ErrPanic.Error(), []string{"panic=boom", "request=test", "stack="}, 0},
		{"panic after the first byte", func(*Shell) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(202)
				panic("boom")
			}
		}, 202, "", []string{"panic=boom"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			metrics, served, known := prometheus.NewRegistry(), 0, 0
			s := New(Config{Name: "x", Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), RateLimit: 1, Registerer: metrics,
				Fail:   func(w http.ResponseWriter, _ *http.Request, err error) { http.Error(w, err.Error(), 500) },
				Served: func(_ audience.Scope, status int) { served = status },
				Known:  func(context.Context) { known++ }})
			mux := http.NewServeMux()
			mux.Handle("GET /thing", c.handler(s))
			r := httptest.NewRequest("GET", "/thing", nil)
			r.Header.Set("X-Request-Id", "test")
			rec := httptest.NewRecorder()
			s.Handler(mux).ServeHTTP(rec, r)
			if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.body) || rec.Header().Get("X-Request-Id") != "test" || rec.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("answered %d %v %s", rec.Code, rec.Header(), rec.Body)
			}
			for _, want := range c.log {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the log lacks %s: %s", want, &log)
				}
			}
			if served != c.served || (known > 0) != (served > 0) {
				t.Errorf("served %d, want %d; known %d times", served, c.served, known)
			}
			if n, err := testutil.GatherAndCount(metrics, "roster_x_request_duration_seconds"); err != nil || n != 1 {
				t.Errorf("%d series, %v", n, err)
			}
		})
	}
}

// TestBegin gives an answer outside of a shell the same headers.
func TestBegin(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	if id := Begin(h); id == "" || h.Get("X-Request-Id") != id || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%q: %v", id, h)
	}
}
