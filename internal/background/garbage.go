package background

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

const (
	// spareHeap is how much a process may allocate at least between two collections of garbage while there is no long work. A server
	// that answers look-ups holds some 50 MB and makes 8 kB of garbage for each, with values 1 MB: it would collect several times a second.
	spareHeap = 256 << 20
	// spareOfWork is the same while there is long work, whose peak it adds to.
	spareOfWork   = 128 << 20
	normalPercent = 100 // of the live heap, the runtime's own default
)

// pace is how often garbage is collected.
type pace struct {
	sync.Mutex
	live    []metrics.Sample
	percent int // 0 before PaceGarbage
}

var garbage = pace{live: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}}

// PaceGarbage has the runtime collect garbage less often from now on, as long as there is little memory in use.
func PaceGarbage() {
	garbage.Lock()
	garbage.percent = normalPercent
	garbage.Unlock()
	collected(new(cycle))
}

// cycle is garbage at each collection, which is how its end is noticed. It has a pointer, since the runtime keeps several objects without
// pointers as one.
type cycle struct{ _ *pace }

func collected(c *cycle) {
	garbage.set(Busy())
	runtime.SetFinalizer(c, collected)
}

// set sets what may be allocated until the next collection: as much as is live, and the spare heap at least.
func (p *pace) set(busy bool) {
	p.Lock()
	defer p.Unlock()
	if p.percent == 0 {
		return
	}
	spare := uint64(spareHeap)
	if busy {
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
