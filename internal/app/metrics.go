package app

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// newRegistry returns the registry of the process's metrics, with those of the Go runtime and of the operating system.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "roster_build_info", Help: "1, with the version as a label.",
		ConstLabels: prometheus.Labels{"version": Version()},
	})
	info.Set(1)
	r.MustRegister(info)
	return r
}
