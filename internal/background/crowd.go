package background

import (
	"sync"
	"time"
)

const (
	// manyRequests within one second are a crowd.
	manyRequests = 75
	// calmAfter is how long after its last second a crowd ends.
	calmAfter = 2 * time.Second
)

// crowd knows whether many requests arrive, and the threads of long work whose priority is still the normal one.
type crowd struct {
	sync.Mutex
	second   time.Time // the beginning of the second in which requests are counted
	requests int       // in that second
	until    time.Time // the crowd ends
	threads  map[int]struct{}
}

var requests = crowd{threads: map[int]struct{}{}}

// Request counts a request that arrived at a time. When many arrive, all long work gets the lowest priority.
func Request(now time.Time) {
	c := &requests
	c.Lock()
	defer c.Unlock()
	if now.Sub(c.second) > time.Second {
		c.second, c.requests = now, 0
	}
	if c.requests++; c.requests < manyRequests {
		return
	}
	c.until = now.Add(calmAfter)
	for id := range c.threads {
		lower(id)
	}
	clear(c.threads)
}

// join lowers the priority of a thread of long work: now, if there is a crowd, or when there is one. The thread must call leave before it
// ends, because the operating system may use its id again.
func (c *crowd) join(id int) {
	c.Lock()
	defer c.Unlock()
	if time.Now().Before(c.until) {
		lower(id)
		return
	}
	c.threads[id] = struct{}{}
}

func (c *crowd) leave(id int) {
	c.Lock()
	defer c.Unlock()
	delete(c.threads, id)
}
