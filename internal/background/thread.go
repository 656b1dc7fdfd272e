// Package background gives requests priority over long work. Go's scheduler has no priorities: a few computing
// goroutines delay a request by tens of milliseconds. The operating system's scheduler has priorities. Therefore the
// goroutines of runs are locked to threads that have the lowest priority while many requests arrive. During runs
// GOMAXPROCS is also larger than the number of these threads: a request always finds a free Go processor, and the
// kernel schedules its thread first.
//
// While few requests arrive, the threads of runs keep the normal priority, because with the lowest priority every other
// program on the machine would precede them.
package background

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

var disabled atomic.Bool

// Disable declares that the process answers no requests: from now on Thread does nothing. Handing data to a goroutine
// that is locked to its thread is expensive.
func Disable() {
	disabled.Store(true)
	garbage.set(true)
}

// Cores is how many threads may compute at a time: the number of processors that the process may use.
var Cores = sync.OnceValue(func() int { return runtime.GOMAXPROCS(0) })

// working counts the pieces of long work in progress.
var working struct {
	sync.Mutex
	pieces int
	rest   *time.Timer // fires when the process returns memory
}

// restAfter is the time after the last long work until the process returns memory to the operating system. The runtime
// alone would take minutes.
const restAfter = 10 * time.Second

// Working adds to the number of pieces of long work in progress. While there are any, GOMAXPROCS is twice Cores, so
// that requests find a free processor. Without long work this would only cause thread switches. Some time after the
// last piece the process returns memory to the operating system.
func Working(by int) {
	working.Lock()
	defer working.Unlock()
	before := working.pieces
	working.pieces += by
	if before == 0 || working.pieces == 0 {
		garbage.set(working.pieces > 0)
	}
	if working.rest != nil {
		working.rest.Stop()
	}
	if working.pieces == 0 && !disabled.Load() {
		working.rest = time.AfterFunc(restAfter, debug.FreeOSMemory)
	}
	n := Cores()
	if working.pieces > 0 && !disabled.Load() {
		n *= 2
	}
	if n != runtime.GOMAXPROCS(0) { // changing it stops the world
		runtime.GOMAXPROCS(n)
	}
}

// busy reports whether there is long work.
func busy() bool {
	working.Lock()
	defer working.Unlock()
	return working.pieces > 0
}

// Thread locks the calling goroutine to its thread, which gets the lowest priority when many requests arrive. The
// goroutine must call end as its last step. The thread ends with the goroutine, because a lowered priority cannot be
// raised again. If the operating system has no thread priorities, the priority does not change.
func Thread() (end func()) {
	if disabled.Load() {
		return func() {}
	}
	id := thread()
	requests.join(id)
	return func() { requests.leave(id) }
}
