package work

import (
	"container/list"
	"sync"
	"time"

	"roster/internal/audience"
	"roster/internal/job"
)

// Observer counts what a Service does. Its methods return quickly and are safe for concurrent use.
type Observer interface {
	// RunEnded is called for each run that this process finished, after the end is recorded.
	RunEnded(r *audience.Run)
	// Attempted is called after each attempt at a webhook delivery with the state that the attempt left; a pending
	// delivery is tried again.
	Attempted(s audience.DeliveryState)
	// Working is called when a job begins, and the returned function when the job ends. A job that waits for its turn
	// has not begun.
	Working(k job.Kind) (ended func())
}

// unobserved is the Observer of a Service without one.
type unobserved struct{}

func (unobserved) RunEnded(*audience.Run)           {}
func (unobserved) Attempted(audience.DeliveryState) {}
func (unobserved) Working(job.Kind) func()          { return func() {} }

// Waiting describes the jobs of a kind that wait for their turn in this process.
type Waiting struct {
	Jobs   int
	Oldest time.Duration // wait of the oldest job; 0 if there is none
}

// waiting has the times at which the waiting jobs began to wait, by kind, the oldest first.
type waiting struct {
	mu    sync.Mutex
	since map[job.Kind]*list.List
}

func newWaiting() *waiting {
	w := &waiting{since: map[job.Kind]*list.List{}}
	for _, k := range job.Kinds {
		w.since[k] = list.New()
	}
	return w
}

// begin records that a job waits, until the returned function is called.
func (w *waiting) begin(k job.Kind) (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.since[k].PushBack(time.Now())
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.since[k].Remove(at)
	}
}

// Waiting returns the waiting jobs of a kind.
func (s *Service) Waiting(k job.Kind) (now Waiting) {
	w := s.waiting
	w.mu.Lock()
	defer w.mu.Unlock()
	now.Jobs = w.since[k].Len()
	if first := w.since[k].Front(); first != nil {
		now.Oldest = time.Since(first.Value.(time.Time))
	}
	return now
}
