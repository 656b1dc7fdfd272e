// Package background lets long work make way for requests. Go's scheduler knows no priorities: a few goroutines that compute keep a
// request waiting for tens of milliseconds. The operating system's scheduler does. So the goroutines of runs get threads of their own,
// whose priority is the lowest one while many requests arrive. As long as there are runs, the program also has more processors, in Go's
// sense of the word, than these threads occupy: a request that arrives finds one, and its thread goes first.
//
// While few requests arrive, the threads of runs keep the normal priority: the lowest one would give way to every other program of the
// machine, too.
package background

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

var alone atomic.Bool

// Alone says that nobody is answered while the process works: from now on Thread does nothing. A goroutine with a thread of
// its own is a dear neighbour to those that it exchanges blocks with.
func Alone() { alone.Store(true) }

// Cores is how many threads may compute at a time: the machine's processors, or those that the process may use.
var Cores = sync.OnceValue(func() int { return runtime.GOMAXPROCS(0) })

// working counts the pieces of long work.
var working struct {
	sync.Mutex
	pieces int
	rest   *time.Timer // until the process gives memory back
}

// restAfter is how long no long work has gone on when the process gives the memory of the work back to the operating system. The
// runtime would take minutes.
const restAfter = 10 * time.Second

// Working adds to the number of pieces of long work that go on. While there are any, the program has twice as many
// processors as Cores, the rest of them for requests; otherwise that would only cost switches between threads. Some time after the last
// piece the process gives memory back.
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
	if working.pieces == 0 && !alone.Load() {
		working.rest = time.AfterFunc(restAfter, debug.FreeOSMemory)
	}
	n := Cores()
	if working.pieces > 0 && !alone.Load() {
		n *= 2
	}
	if n != runtime.GOMAXPROCS(0) { // which stops the world
		runtime.GOMAXPROCS(n)
	}
}

// Busy reports whether there is long work.
func Busy() bool {
	working.Lock()
	defer working.Unlock()
	return working.pieces > 0
}

// Thread gives the calling goroutine a thread of its own, which has the lowest priority from the moment that many requests arrive. The
// goroutine calls end as its last step; the thread ends with the goroutine, because a priority that was lowered cannot be raised again.
// Where the operating system has no priorities of threads, the priority stays as it is.
func Thread() (end func()) {
	if alone.Load() {
		return func() {}
	}
	id := thread()
	requests.join(id)
	return func() { requests.leave(id) }
}
