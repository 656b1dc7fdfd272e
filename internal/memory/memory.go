// Package memory manages the memory budget of a process (the setting --memory), which runs and large answers share.
//
// Each run gets a base for the memory that it always needs: queues, open blocks, the buffers of a merge, row groups.
// The base is determined when the run begins and reserved until it ends. Optional memory, for rows that stay in memory
// instead of a scratch file, is allocated and released piece by piece. If the budget is used up, the allocation is
// refused and the run spills rows. A part of the budget is reserved for answers, which wait for their turn.
package memory

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// leastBase is the smallest base of a run. Runs for which it is not available wait.
	leastBase = 12 << 20
	// leastAnswers and mostAnswers limit the part of the budget that is reserved for answers.
	leastAnswers, mostAnswers = 16 << 20, 64 << 20
	// answerWithin is how long an answer waits for its turn.
	answerWithin = 20 * time.Second
)

// Default is the budget of a process without a configured one, in bytes.
const Default = 512 << 20

// ErrBusy says that the memory for answers was occupied for too long.
var ErrBusy = errors.New("memory: too many large answers at a time")

// Budget is the memory of a process.
type Budget struct {
	runs    int64 // bytes for all runs
	begin   *semaphore.Weighted
	roomy   *semaphore.Weighted // half of the memory for answers: for those that get the wanted amount
	answers *semaphore.Weighted // the other half
	most    int64               // bytes of answers
	large   *semaphore.Weighted // for one large piece at a time

	mu     sync.Mutex
	active int
	held   int64 // by runs
}

// New returns a budget of the given number of bytes.
func New(total int64) *Budget {
	most := min(max(total/8, leastAnswers), mostAnswers)
	return &Budget{runs: max(total-most, leastBase), most: most / 2, begin: semaphore.NewWeighted(max(total-most, leastBase)),
		roomy: semaphore.NewWeighted(most / 2), answers: semaphore.NewWeighted(most / 2), large: semaphore.NewWeighted(1)}
}

// Begin returns the share of a new run. It waits while too many runs are in progress. The owner of a share must not
// call Begin again.
func (b *Budget) Begin(ctx context.Context) (*Share, error) {
	if err := b.begin.Acquire(ctx, leastBase); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.active++
	s := &Share{budget: b, Base: b.base(b.active), Most: b.runs * 7 / 8 / int64(b.active)}
	b.held += s.Base
	return s, nil
}

// base returns the base of the n-th concurrent run.
func (b *Budget) base(n int) int64 { return max(b.runs/int64(2*(n+1)), leastBase) }

// Answer reserves memory for an answer: the wanted amount if enough is free, otherwise the least amount, but not more
// than the memory for such answers. It returns the amount and a function that releases it. If the memory is not
// available in time, the error is ErrBusy.
func (b *Budget) Answer(ctx context.Context, want, least int64) (got int64, release func(), err error) {
	if b.roomy.TryAcquire(want) {
		return want, sync.OnceFunc(func() { b.roomy.Release(want) }), nil
	}
	least = min(least, b.most)
	release, err = acquire(ctx, b.answers, least)
	return least, release, err
}

// Large waits for exclusive permission to hold a piece that is larger than a whole share or answer, such as rows of
// megabytes. The holder must not make other requests meanwhile.
func (b *Budget) Large(ctx context.Context) (release func(), err error) {
	return acquire(ctx, b.large, 1)
}

func acquire(ctx context.Context, s *semaphore.Weighted, n int64) (release func(), err error) {
	within, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if err := s.Acquire(within, n); err != nil {
		if ctx.Err() == nil {
			err = ErrBusy
		}
		return nil, err
	}
	return sync.OnceFunc(func() { s.Release(n) }), nil
}

// Share is the part of a budget that one run uses.
type Share struct {
	// Base is how many bytes the run may always use, and Most the maximum, which includes bytes that it takes or reserves.
	Base, Most int64

	budget *Budget
	taken  int64
}

// Take allocates bytes beyond the base; false if only the base of another run that may begin is left, or if the run
// already has half of the memory of all runs.
func (s *Share) Take(bytes int64) bool {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if bytes > s.room() {
		return false
	}
	s.taken += bytes
	b.held += bytes
	return true
}

// Room returns how many bytes the run can take now.
func (s *Share) Room() int64 {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	return s.room()
}

func (s *Share) room() int64 {
	b := s.budget
	return min(b.runs-b.held-b.base(b.active+1), b.runs/2-s.taken)
}

// Reserve allocates bytes even if the budget is used up, so that others get less. It returns a function that releases
// them.
func (s *Share) Reserve(bytes int64) (release func()) {
	s.Give(-bytes)
	return func() { s.Give(bytes) }
}

// Give releases bytes from Take.
func (s *Share) Give(bytes int64) {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	s.taken -= bytes
	s.budget.held -= bytes
}

// End releases the share and all its bytes.
func (s *Share) End() {
	b := s.budget
	b.mu.Lock()
	b.active--
	b.held -= s.Base + s.taken
	s.taken = 0
	b.mu.Unlock()
	b.begin.Release(leastBase)
}
