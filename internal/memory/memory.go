// Package memory is the account of the memory that a process may hold for its work: the setting --memory. Runs and
// answers draw from it.
//
// What a piece of work needs in any case, its base, is set by its share when it begins: queues, open blocks, the
// buffers of a merge, row groups. It is booked for as long as the work goes on. What helps but is not needed, rows
// that are kept in memory rather than in a scratch file, is taken and given back piece by piece, and refused when the
// process has no more: then the work spills. A part of the budget is kept for answers, which wait for their turn.
package memory

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// leastBase is what the smallest run needs. As many runs as have it go on at a time, the others wait.
	leastBase = 12 << 20
	// leastAnswers and mostAnswers bound the part of the budget that is kept for answers.
	leastAnswers, mostAnswers = 16 << 20, 64 << 20
	// answerWithin is how long an answer waits for its turn.
	answerWithin = 20 * time.Second
)

// ErrBusy says that other answers have held the memory for answers for too long.
var ErrBusy = errors.New("memory: too many large answers at a time")

// Budget is the memory of a process.
type Budget struct {
	runs    int64 // bytes for all runs
	begin   *semaphore.Weighted
	roomy   *semaphore.Weighted // half of the memory for answers, for those that get what they want
	answers *semaphore.Weighted // the other half
	most    int64               // bytes of it
	large   *semaphore.Weighted // of one piece

	mu     sync.Mutex
	active int
	held   int64 // by runs
}

// New returns a budget of so many bytes.
func New(total int64) *Budget {
	most := min(max(total/8, leastAnswers), mostAnswers)
	return &Budget{runs: max(total-most, leastBase), most: most / 2, begin: semaphore.NewWeighted(max(total-most, leastBase)),
		roomy: semaphore.NewWeighted(most / 2), answers: semaphore.NewWeighted(most / 2), large: semaphore.NewWeighted(1)}
}

// Begin returns the share of a run that begins; it waits while too many go on. Whoever has a share asks for no other.
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

// base is the base of the n-th of the runs that go on.
func (b *Budget) base(n int) int64 { return max(b.runs/int64(2*(n+1)), leastBase) }

// Answer reserves memory for an answer: as much as it wants when there is plenty, otherwise the least that it can do
// with, or as much as such answers have. It returns how much that is, and what gives it back. It waits for its turn, but
// not for long: then it is ErrBusy.
func (b *Budget) Answer(ctx context.Context, want, least int64) (got int64, release func(), err error) {
	if b.roomy.TryAcquire(want) {
		return want, sync.OnceFunc(func() { b.roomy.Release(want) }), nil
	}
	least = min(least, b.most)
	release, err = acquire(ctx, b.answers, least)
	return least, release, err
}

// Large waits until it is alone in holding a piece that is larger than all of a share or an answer, such as rows of
// megabytes. Whoever holds it asks for nothing else.
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

// Share is what one run has of a budget.
type Share struct {
	// Base is how many bytes the run may hold in any case, and Most how many at most, if it books them.
	Base, Most int64

	budget *Budget
	taken  int64
}

// Take takes bytes beyond the base; false when the process has no more beside the base of a run that may begin, or the
// run has half of what all runs have.
func (s *Share) Take(bytes int64) bool {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held+b.base(b.active+1)+bytes > b.runs || s.taken+bytes > b.runs/2 {
		return false
	}
	s.taken += bytes
	b.held += bytes
	return true
}

// Book takes bytes whether or not the process has them, so that others take less; it returns what gives them back.
func (s *Share) Book(bytes int64) (release func()) {
	s.Give(-bytes)
	return func() { s.Give(bytes) }
}

// Give gives back bytes that were taken.
func (s *Share) Give(bytes int64) {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	s.taken -= bytes
	s.budget.held -= bytes
}

// End gives the share back with all that was taken.
func (s *Share) End() {
	b := s.budget
	b.mu.Lock()
	b.active--
	b.held -= s.Base + s.taken
	s.taken = 0
	b.mu.Unlock()
	b.begin.Release(leastBase)
}
