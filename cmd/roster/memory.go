package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"

	"roster/internal/app"
)

// limitMemory keeps the Go runtime within the configured memory, and has it collect garbage less often as long as there is
// little memory in use, unless the environment says otherwise.
func limitMemory(cfg app.Config) {
	if cfg.DebugListen == "" {
		runtime.MemProfileRate = 0 // nobody can read the profile, which takes a hundredth of the time
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(cfg.MemoryLimit())
	}
	if os.Getenv("GOGC") == "" {
		collected(&cycle{live: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}, percent: normalPercent})
	}
}

const (
	// spareHeap is how much a process may allocate at least between two collections. A server that answers look-ups holds
	// some 50 MB and makes 8 kB of garbage for each: it would collect several times a second.
	spareHeap     = 128 << 20
	normalPercent = 100 // of the live heap, the runtime's own default
)

// cycle is garbage at each collection, which is how its end is noticed.
type cycle struct {
	live    []metrics.Sample
	percent int
}

// collected sets what may be allocated until the next collection: as much as is live, and spareHeap at least.
func collected(c *cycle) {
	metrics.Read(c.live)
	live := max(c.live[0].Value.Uint64(), 1<<20)
	percent := max(normalPercent, int(spareHeap*100/live))
	if percent/10 != c.percent/10 {
		debug.SetGCPercent(percent)
		c.percent = percent
	}
	runtime.SetFinalizer(c, collected)
}
