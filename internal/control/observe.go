package control

import (
	"container/list"
	"context"
	"sync"
	"time"

	"roster/internal/audience"
	"roster/internal/queue"
)

// Observer counts what a Service does. Its methods return quickly and are safe for concurrent use.
type Observer interface {
	// RunEnded is called for each run that this process finished, after the end is recorded.
	RunEnded(r *audience.Run)
	// LookedUp is called for each look-up with the number of identities that had the outcome.
	LookedUp(o LookupOutcome, identities int)
	// Attempted is called after each attempt at a webhook delivery with the state that the attempt left; a pending
	// delivery is tried again.
	Attempted(s audience.DeliveryState)
}

// LookupOutcome is what a look-up found out about an identity.
type LookupOutcome string

// The outcomes of look-ups.
const (
	LookupFound       LookupOutcome = "found"       // a membership is shown
	LookupUnknown     LookupOutcome = "unknown"     // no membership is shown
	LookupRefused     LookupOutcome = "refused"     // the request is wrong, or not allowed
	LookupUnavailable LookupOutcome = "unavailable" // the profile store is being repaired
	LookupFailed      LookupOutcome = "failed"      // an internal error
)

// LookupOutcomes are all of them.
var LookupOutcomes = []LookupOutcome{LookupFound, LookupUnknown, LookupRefused, LookupUnavailable, LookupFailed}

// unobserved is the Observer of a Service without one.
type unobserved struct{}

func (unobserved) RunEnded(*audience.Run)           {}
func (unobserved) LookedUp(LookupOutcome, int)      {}
func (unobserved) Attempted(audience.DeliveryState) {}

// observeLookup counts a look-up of so many identities. A client that went away counts nothing.
func (s *Service) observeLookup(ctx context.Context, identities int, profiles []Profile, err error) {
	if err == nil {
		found := 0
		for i := range profiles {
			if profiles[i].Found {
				found++
			}
		}
		s.cfg.Observer.LookedUp(LookupFound, found)
		s.cfg.Observer.LookedUp(LookupUnknown, identities-found)
		return
	}
	if ctx.Err() != nil {
		return
	}
	outcome := LookupRefused
	switch audience.CodeOf(err) {
	case audience.Unavailable:
		outcome = LookupUnavailable
	case audience.Internal, audience.BadGateway:
		outcome = LookupFailed
	}
	s.cfg.Observer.LookedUp(outcome, identities)
}

// Waiting describes the jobs of a kind that wait for their turn in this process.
type Waiting struct {
	Jobs   int
	Oldest time.Duration // how long the first of them has waited; 0 when there is none
}

// waiting holds when each job that waits for its turn began to wait, by kind, the oldest first.
type waiting struct {
	mu    sync.Mutex
	since map[queue.Kind]*list.List
}

func newWaiting() *waiting {
	w := &waiting{since: map[queue.Kind]*list.List{}}
	for _, k := range queue.Kinds {
		w.since[k] = list.New()
	}
	return w
}

// begin notes that a job waits, until the function that begin returns is called.
func (w *waiting) begin(k queue.Kind) (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.since[k].PushBack(time.Now())
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.since[k].Remove(at)
	}
}

// Waiting returns what waits of a kind of job.
func (s *Service) Waiting(k queue.Kind) (now Waiting) {
	w := s.waiting
	w.mu.Lock()
	defer w.mu.Unlock()
	now.Jobs = w.since[k].Len()
	if first := w.since[k].Front(); first != nil {
		now.Oldest = time.Since(first.Value.(time.Time))
	}
	return now
}
