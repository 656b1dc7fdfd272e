package app

import (
	"context"
	"sync"

	"roster/internal/background"
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
		background.Working(1)
		defer background.Working(-1)
		a.runs.change(1, a.running)
		defer a.runs.change(-1, a.running)
	}
	return a.control.Handle(ctx, j)
}

// running tells how many runs go on.
func (a *App) running(runs int) {
	if a.cfg.Running != nil {
		a.cfg.Running(runs)
	}
}
