package app

import (
	"context"
	"sync"

	"roster/internal/queue"
)

// runCount counts the jobs that hold the budget of a run.
type runCount struct {
	mu sync.Mutex
	n  int
}

// change adds to the count and tells it.
func (r *runCount) change(by int, tell func(int)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n += by
	tell(r.n)
}

// handle does a job of the queue.
func (a *App) handle(ctx context.Context, j queue.Job) error {
	switch j.Kind {
	case queue.RunJob, queue.MaintainJob, queue.EraseJob:
		if a.cfg.Running != nil {
			a.runs.change(1, a.cfg.Running)
			defer a.runs.change(-1, a.cfg.Running)
		}
	}
	return a.control.Handle(ctx, j)
}
