package client

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestPatience calls a server that goes away and comes back, or does not.
func TestPatience(t *testing.T) {
	t.Parallel()
	var away, calls atomic.Int64 // how many calls are refused yet
	keys := map[string]bool{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/token/v3"):
			_, _ = w.Write([]byte(`{"access_token":"t","expires_in":3600}`))
			return
		case away.Add(-1) >= 0 && calls.Add(1)%2 == 0:
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case away.Load() >= 0:
			panic(http.ErrAbortHandler)
		}
		if r.Method == http.MethodPost {
			keys[r.Header.Get("Idempotency-Key")] = true
		}
		_, _ = w.Write([]byte(`{"name":"a","runId":"r"}`))
	}))
	t.Cleanup(s.Close)
	var told []error
	c := &Client{BaseURL: s.URL, Patience: time.Minute, OnOutage: func(reason error) { told = append(told, reason) }}

	away.Store(1)
	if _, err := c.Audience(t.Context(), "x"); err != nil || len(told) != 0 {
		t.Errorf("a GET of a client that knows no server: %v, told %v", err, told)
	}
	away.Store(3)
	if r, err := c.StartRun(t.Context(), "x", RunRequest{}); err != nil || r.RunID != "r" || len(told) != 2 || told[0] == nil || told[1] != nil || len(keys) != 1 || keys[""] {
		t.Errorf("a POST: %v, %v, told %v, keys %v", r, err, told, keys)
	}
	told = nil
	away.Store(1)
	if a, err := c.UpdateAudience(t.Context(), "x", AudiencePatch{}); err != nil || a.Name != "a" || len(told) != 0 {
		t.Errorf("one failure: %v, %v, told %v", a, err, told)
	}
	away.Store(1)
	if err := c.DeleteAudience(t.Context(), "x"); err == nil {
		t.Error("a DELETE was repeated")
	}
	c.Patience = 300 * time.Millisecond
	away.Store(1 << 40)
	var gone *UnreachableError
	if _, err := c.Audience(t.Context(), "x"); !errors.As(err, &gone) || gone.Waited < c.Patience || !strings.Contains(err.Error(), s.URL) {
		t.Errorf("a server that stays away: %v", err)
	}
	unknown := &Client{BaseURL: "http://127.0.0.1:1", Patience: time.Hour}
	if err := unknown.DeleteAudience(t.Context(), "x"); err == nil || errors.As(err, &gone) && gone.BaseURL == unknown.BaseURL {
		t.Errorf("a server that never answered: %v", err)
	}
}
