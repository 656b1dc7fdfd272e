package background

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

const (
	// spareHeap is the minimum allocation between two garbage collections while there is no long work. A server that
	// answers look-ups has about 50 MB of live memory and makes 8 kB of garbage per look-up, with values 1 MB; by
	// default it would collect several times a second.
	spareHeap = 256 << 20
	// spareOfWork is the same during long work, and in a process that answers no requests. It is smaller because it adds to the peak
	// of the work.
	spareOfWork   = 128 << 20
	normalPercent = 100 // of the live heap, the runtime's default
)

// pace controls how often garbage is collected.
type pace struct {
	sync.Mutex
	live    []metrics.Sample
	percent int // 0 before PaceGarbage
}

var garbage = pace{live: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}}

// PaceGarbage makes the runtime collect garbage less often, as long as little memory is in use.
func PaceGarbage() {
	garbage.Lock()
	garbage.percent = normalPercent
	garbage.Unlock()
	collected(new(cycle))
}

// cycle is an object that becomes garbage before each collection, so its cleanup signals the end of a collection. It
// contains a pointer, because the runtime may combine small objects without pointers.
type cycle struct{ _ *pace }

func collected(c *cycle) {
	garbage.set(busy())
	runtime.SetFinalizer(c, collected)
}

// set sets the allocation until the next collection: the size of the live heap, at least the spare heap.
func (p *pace) set(busy bool) {
	p.Lock()
	defer p.Unlock()
	if p.percent == 0 {
		return
	}
	spare := uint64(spareHeap)
	if busy || disabled.Load() {
		spare = spareOfWork
	}
	metrics.Read(p.live)
	live := max(p.live[0].Value.Uint64(), 1<<20)
	percent := max(normalPercent, int(spare*100/live))
	if percent/10 != p.percent/10 {
		debug.SetGCPercent(percent)
		p.percent = percent
	}
}
