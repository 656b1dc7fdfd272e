package app

import (
	"context"

	"roster/internal/background"
	"roster/internal/queue"
)

// handle does a job of the queue.
func (a *App) handle(ctx context.Context, j queue.Job) error {
	switch j.Kind {
	case queue.RunJob, queue.MaintainJob, queue.EraseJob:
		background.Working(1)
		defer background.Working(-1)
	}
	return a.control.Handle(ctx, j)
}
