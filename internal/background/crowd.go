package background

import (
	"sync"
	"time"
)

const (
	// manyRequests is the number of requests within one second that make a crowd.
	manyRequests = 75
	// calmAfter is the time after the last such second until the crowd ends.
	calmAfter = 2 * time.Second
)

// crowd tracks whether many requests arrive, and the threads of long work that still have the normal priority.
type crowd struct {
	sync.Mutex
	second   time.Time // beginning of the current second
	requests int       // requests in that second
	until    time.Time // end of the crowd
	threads  map[int]struct{}
}

var requests = crowd{threads: map[int]struct{}{}}

// Request counts a request that arrived at the given time. If many arrive, all long work gets the lowest priority.
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

// join lowers the priority of a thread of long work: now if there is a crowd, otherwise when the next one begins. The
// thread must call leave before it ends, because the operating system may reuse its id.
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
