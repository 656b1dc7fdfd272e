package control

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"roster/internal/audience"
	"roster/internal/background"
	"roster/internal/survey"
)

// Looks at files parse data from tenants. So only few may be in progress at a time, and one sandbox cannot use all of
// them.
const (
	sandboxLooks = 2
	processLooks = 8
	// lookPatience is how long a request waits for its turn.
	lookPatience = 2 * time.Second
)

// looks limits the concurrent looks at files.
type looks struct {
	process   *semaphore.Weighted
	sandboxes sync.Map // of audience.Scope, *semaphore.Weighted
}

func newLooks() *looks { return &looks{process: semaphore.NewWeighted(processLooks)} }

// do calls fn when it is the sandbox's turn. A request that waits too long is refused as TooMany.
func (l *looks) do(ctx context.Context, scope audience.Scope, fn func() error) error {
	sandbox, ok := l.sandboxes.Load(scope)
	if !ok {
		sandbox, _ = l.sandboxes.LoadOrStore(scope, semaphore.NewWeighted(sandboxLooks))
	}
	patience, done := context.WithTimeout(ctx, lookPatience)
	defer done()
	for _, turn := range []*semaphore.Weighted{sandbox.(*semaphore.Weighted), l.process} {
		if turn.Acquire(patience, 1) != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			e := audience.Errorf(audience.TooMany, "%d looks at files are in progress in this sandbox, or %d in all; repeat the request in a moment", sandboxLooks, processLooks)
			e.RetryAfter = lookPatience
			return e
		}
		defer turn.Release(1)
	}
	background.Working(1)
	defer background.Working(-1)
	return fn()
}

// lookMemory is the approximate memory of a look at files.
const lookMemory = 16 << 20

// look surveys files when it is the sandbox's turn and there is memory for it.
func (s *Service) look(ctx context.Context, scope audience.Scope, req survey.Request) (v survey.Result, err error) {
	err = s.looks.do(ctx, scope, func() error {
		_, done, err := s.cfg.Memory.Answer(ctx, lookMemory, lookMemory)
		if err != nil {
			return busy(err)
		}
		defer done()
		v, err = s.cfg.Surveyor.Survey(ctx, req)
		return err
	})
	return v, err
}
