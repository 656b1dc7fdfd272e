package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"roster/internal/audience"
	"roster/internal/background"
	"roster/internal/control"
	"roster/internal/job"
	"roster/internal/work"
)

// workMetrics count the work of the process. They name no organization, sandbox or audience. They implement
// control.Observer and work.Observer.
type workMetrics struct {
	tenants    *tenantMetrics
	runs       *prometheus.CounterVec
	running    prometheus.Gauge
	succeeded  prometheus.Gauge
	lookups    map[control.LookupOutcome]prometheus.Counter
	attempts   *prometheus.CounterVec
	deliveries *prometheus.CounterVec
}

var (
	_ control.Observer = (*workMetrics)(nil)
	_ work.Observer    = (*workMetrics)(nil)
)

func newWorkMetrics(r prometheus.Registerer, tenants *tenantMetrics) *workMetrics {
	counter := func(name, help, label string, values ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
		r.MustRegister(c)
		for _, v := range values { // creates the series at 0, so that the first increase is visible
			c.WithLabelValues(v)
		}
		return c
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		r.MustRegister(g)
		return g
	}
	m := &workMetrics{
		tenants: tenants,
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "roster_runs_total", Help: "Runs that ended, by kind and status."},
			[]string{"kind", "status"}),
		running:   gauge("roster_runs_in_progress", "Runs in progress in this process. Runs that wait for their turn are not counted."),
		succeeded: gauge("roster_last_successful_run_timestamp_seconds", "When the last run that read files into an audience ended with SUCCESS, as Unix time; 0 if none has. Dry runs do not count."),
		lookups:   map[control.LookupOutcome]prometheus.Counter{},
		attempts:  counter("roster_webhook_attempts_total", "Requests to webhooks, by outcome.", "outcome", "delivered", "failed"),
		deliveries: counter("roster_webhook_deliveries_total", "Webhook deliveries that ended, by outcome: delivered, failed after a day of attempts, or withheld because the webhook's client lost its rights.",
			"outcome", string(audience.DeliveryDelivered), string(audience.DeliveryFailed), string(audience.DeliveryWithheld)),
	}
	r.MustRegister(m.runs)
	for _, kind := range audience.RunKinds {
		m.runs.WithLabelValues(kind.Name(), string(audience.Success))
		m.runs.WithLabelValues(kind.Name(), string(audience.Failed))
	}
	lookups := counter("roster_lookups_total", "Identities looked up in /core/ups/access/entities, by outcome.", "outcome")
	for _, o := range control.LookupOutcomes {
		m.lookups[o] = lookups.WithLabelValues(string(o))
	}
	return m
}

// RunEnded implements work.Observer.
func (m *workMetrics) RunEnded(r *audience.Run) {
	m.tenants.ended(r)
	m.runs.WithLabelValues(kindOf(r), string(r.Status)).Inc()
	if r.Committed() && r.Request.Ingests() {
		m.succeededAt(r.EndedAt)
	}
}

func (m *workMetrics) succeededAt(at time.Time) { m.succeeded.Set(float64(at.UnixMilli()) / 1000) }

// LookedUp implements control.Observer.
func (m *workMetrics) LookedUp(o control.LookupOutcome, identities int) {
	m.lookups[o].Add(float64(identities))
}

// Attempted implements work.Observer.
func (m *workMetrics) Attempted(s audience.DeliveryState) {
	switch s {
	case audience.DeliveryDelivered:
		m.attempts.WithLabelValues("delivered").Inc()
	case audience.DeliveryPending, audience.DeliveryFailed:
		m.attempts.WithLabelValues("failed").Inc()
	}
	if s != audience.DeliveryPending {
		m.deliveries.WithLabelValues(string(s)).Inc()
	}
}

// Working implements work.Observer.
func (m *workMetrics) Working(k job.Kind) (ended func()) {
	switch k {
	case job.Run:
		m.running.Inc()
		background.Working(1)
		return func() { background.Working(-1); m.running.Dec() }
	case job.Maintain, job.Compact, job.Erase:
		background.Working(1)
		return func() { background.Working(-1) }
	}
	return func() {}
}

// queueMetrics report the jobs that wait for their turn.
type queueMetrics struct {
	worker       *work.Service
	jobs, oldest *prometheus.Desc
}

func newQueueMetrics(s *work.Service) *queueMetrics {
	return &queueMetrics{
		worker: s,
		jobs:   prometheus.NewDesc("roster_queue_waiting_jobs", "Jobs that this process took from the queue and that wait for their turn, by kind.", []string{"kind"}, nil),
		oldest: prometheus.NewDesc("roster_queue_oldest_waiting_seconds", "Seconds that the oldest waiting job has waited for its turn, by kind; 0 if none waits.", []string{"kind"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (m *queueMetrics) Describe(to chan<- *prometheus.Desc) { to <- m.jobs; to <- m.oldest }

// Collect implements prometheus.Collector.
func (m *queueMetrics) Collect(to chan<- prometheus.Metric) {
	for _, k := range job.Kinds {
		waiting := m.worker.Waiting(k)
		to <- prometheus.MustNewConstMetric(m.jobs, prometheus.GaugeValue, float64(waiting.Jobs), string(k))
		to <- prometheus.MustNewConstMetric(m.oldest, prometheus.GaugeValue, waiting.Oldest.Seconds(), string(k))
	}
}

// registerRead registers the counters of the rows and bytes that the pipeline has read.
func registerRead(r prometheus.Registerer, read func() (rows, bytes int64)) {
	r.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "roster_rows_read_total",
			Help: "Rows that runs read from files, including rejected rows and rows of failed runs. A run that starts again reads its rows again."},
			func() float64 { rows, _ := read(); return float64(rows) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "roster_bytes_read_total",
			Help: "Bytes that runs read from files, as the files are stored. A run that starts again reads its files again."},
			func() float64 { _, bytes := read(); return float64(bytes) }),
	)
}
