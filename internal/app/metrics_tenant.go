package app

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"roster/internal/audience"
	"roster/internal/auth"
)

// minMetricsToken is the minimum length of a token for /metrics.
const minMetricsToken = 16

// tenantMetrics count the work of each sandbox. Only administrators create sandboxes, so there are few. The metrics
// name the sandboxes, so they are shown only with the token for /metrics.
type tenantMetrics struct {
	registry       *prometheus.Registry
	requests, runs *prometheus.CounterVec
	rows           *prometheus.CounterVec
}

func newTenantMetrics() *tenantMetrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"organization", "sandbox"}, labels...))
	}
	m := &tenantMetrics{
		registry: prometheus.NewRegistry(),
		requests: counter("roster_tenant_requests_total", "Authenticated API requests, by status.", "status"),
		runs:     counter("roster_tenant_runs_total", "Runs that ended, by kind and status.", "kind", "status"),
		rows:     counter("roster_tenant_rows_total", "Rows of runs that ended, by outcome.", "outcome"),
	}
	m.registry.MustRegister(m.requests, m.runs, m.rows)
	return m
}

func (m *tenantMetrics) served(s audience.Scope, status int) {
	m.requests.WithLabelValues(s.Org, s.Sandbox, strconv.Itoa(status)).Inc()
}

// kindOf returns the value of the label kind of a run.
func kindOf(r *audience.Run) string {
	if r.Request.DryRun {
		return r.Request.Kind.Name() + " (dry run)"
	}
	return r.Request.Kind.Name()
}

func (m *tenantMetrics) ended(r *audience.Run) {
	m.runs.WithLabelValues(r.Scope.Org, r.Scope.Sandbox, kindOf(r), string(r.Status)).Inc()
	if r.Request.DryRun {
		return
	}
	rows := r.Result.Rows
	for outcome, n := range map[string]int64{"read": rows.Read, "rejected": rows.Rejected, "duplicate": rows.Duplicates, "added": rows.Added, "updated": rows.Updated,
		"unchanged": rows.Unchanged, "deleted": rows.Deleted, "deleted, was no member": rows.DeletedNotMember} {
		m.rows.WithLabelValues(r.Scope.Org, r.Scope.Sandbox, outcome).Add(float64(n))
	}
}

// metricsHandler answers /metrics: without a token it shows everybody the metrics of the process; with a token that the
// operator configured, it shows all metrics to those who send it.
func (a *App) metricsHandler() (http.Handler, error) {
	if a.cfg.MetricsTokenFile == "" {
		return promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{}), nil
	}
	token, err := os.ReadFile(a.cfg.MetricsTokenFile)
	if err != nil {
		return nil, fmt.Errorf("--metrics-token-file, ROSTER_METRICS_TOKEN_FILE: %w", err)
	}
	if token = bytes.TrimSpace(token); len(token) < minMetricsToken {
		return nil, fmt.Errorf("--metrics-token-file, ROSTER_METRICS_TOKEN_FILE: the token in %s has %d characters; at least %d are needed", a.cfg.MetricsTokenFile, len(token), minMetricsToken)
	}
	want := sha256.Sum256(token)
	all := promhttp.HandlerFor(prometheus.Gatherers{a.metrics, a.tenants.registry}, promhttp.HandlerOpts{})
	tried := auth.NewAttemptLimiter(time.Now)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		sum := sha256.Sum256([]byte(strings.TrimSpace(given)))
		right := strings.EqualFold(scheme, "bearer") && subtle.ConstantTimeCompare(sum[:], want[:]) == 1
		err := tried.Check(r.RemoteAddr, "")
		if err == nil && !right && given != "" {
			err = tried.Wrong(r.RemoteAddr, "")
		}
		switch {
		case err != nil:
			w.Header().Set("Retry-After", strconv.Itoa(int(audience.AsError(err).RetryAfter.Seconds())+1))
			http.Error(w, audience.AsError(err).Message, http.StatusTooManyRequests)
		case !right:
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "the metrics require the token of --metrics-token-file as a bearer token", http.StatusUnauthorized)
		default:
			all.ServeHTTP(w, r)
		}
	}), nil
}
