package control

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"roster/internal/audience"
)

// Limits limit the concurrent work of one sandbox; more is refused as TooMany. Zero means the default. Work that Roster
// starts itself (scheduled runs, expiry, erasures) is not limited when it starts.
type Limits struct {
	Runs    int // waiting or in progress
	Submits int // whose tasks wait or are in progress
	Uploads int // requests that send a file
	Looks   int // requests that test or explore a connection, or validate a draft
}

// DefaultLimits are the default limits.
var DefaultLimits = Limits{Runs: 100, Submits: 100, Uploads: 32, Looks: 16}

func (l Limits) withDefaults() Limits {
	return Limits{Runs: cmp.Or(l.Runs, DefaultLimits.Runs), Submits: cmp.Or(l.Submits, DefaultLimits.Submits),
		Uploads: cmp.Or(l.Uploads, DefaultLimits.Uploads), Looks: cmp.Or(l.Looks, DefaultLimits.Looks)}
}

// retryAfter is the time after which a refused client may try again.
const retryAfter = 5 * time.Second

// limited is a kind of limited work.
type limited string

const (
	limitedRuns    limited = "runs that wait or are in progress"
	limitedSubmits limited = "submits that wait or are in progress"
	limitedUploads limited = "uploads in progress"
	limitedLooks   limited = "looks at sources in progress"
)

// requests counts the limited requests in progress.
type requests struct {
	mu sync.Mutex
	n  map[request]int
}

type request struct {
	scope audience.Scope
	what  limited
}

// admit admits a request unless its sandbox has reached the limit. An admitted caller must call done.
func (r *requests) admit(scope audience.Scope, what limited, most int) (done func(), err error) {
	before, done := r.reserve(scope, what)
	if before >= most {
		done()
		return nil, tooMany(scope, what, before)
	}
	return done, nil
}

// reserve counts a request, and returns the number of requests before it.
func (r *requests) reserve(scope audience.Scope, what limited) (before int, done func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := request{scope, what}
	if r.n == nil {
		r.n = map[request]int{}
	}
	before = r.n[key]
	r.n[key]++
	return before, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.n[key]--; r.n[key] == 0 {
			delete(r.n, key)
		}
	}
}

func tooMany(scope audience.Scope, what limited, n int) error {
	e := audience.Errorf(audience.TooMany, "sandbox %q has %d %s, which is the limit of a sandbox; repeat the request when some have ended",
		scope.Sandbox, n, what)
	e.RetryAfter = retryAfter
	return e
}

// admitWork is admit for a run or a submit, which the store counts. It reserves before it counts, so that every earlier
// request is in at least one of the two numbers and concurrent requests cannot exceed the limit.
func (s *Service) admitWork(ctx context.Context, scope audience.Scope, what limited) (done func(), err error) {
	before, done := s.requests.reserve(scope, what)
	tasks, runs, err := s.cfg.Store.UnfinishedIn(ctx, scope)
	if err != nil {
		done()
		return nil, fmt.Errorf("count the work of sandbox %s: %w", scope.Sandbox, err)
	}
	n, most := before+runs, s.cfg.Limits.Runs
	if what == limitedSubmits {
		n, most = before+tasks, s.cfg.Limits.Submits
	}
	if n >= most {
		done()
		return nil, tooMany(scope, what, n)
	}
	return done, nil
}
