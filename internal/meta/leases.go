package meta

import (
	"context"
	"time"

	"roster/internal/audience"
)

// Leases reads unfinished work and the attempts at it.
type Leases interface {
	// Attempt returns the record of earlier attempts at a task or a run; the zero Attempt if there is none.
	Attempt(ctx context.Context, id string) (Attempt, error)
	// UnfinishedRun finds a PROCESSING run, without what it Planned, and UnfinishedTask a PROCESSING task, of any organization.
	UnfinishedRun(ctx context.Context, id audience.RunID) (audience.Run, error)
	UnfinishedTask(ctx context.Context, id audience.TaskID) (audience.Task, error)
	// UnfinishedIn counts the tasks and runs of a sandbox that are PROCESSING.
	UnfinishedIn(ctx context.Context, scope audience.Scope) (tasks, runs int, err error)
	// Unfinished lists the tasks and runs that are PROCESSING and whose lease is absent or ended by now, oldest
	// first, the runs without what they Planned.
	Unfinished(ctx context.Context, now time.Time) (tasks []audience.Task, runs []audience.Run, err error)
}

// LeasesTx takes leases and counts attempts in a transaction.
type LeasesTx interface {
	Leases
	// AcquireTask takes the task's lease until the given time for the worker, or renews the worker's own
	// (ErrLeaseHeld when another's has not ended; ErrStale when the task is not PROCESSING; ErrNotFound).
	AcquireTask(ctx context.Context, id audience.TaskID, worker string, now, until time.Time) (audience.Task, error)
	// AcquireRun does for a run what AcquireTask does for a task.
	AcquireRun(ctx context.Context, id audience.RunID, worker string, now, until time.Time) (audience.Run, error)
	// RenewRun is AcquireRun for a worker that has read the run.
	RenewRun(ctx context.Context, id audience.RunID, worker string, now, until time.Time) error
	// ResetFutureTimes sets times to now that are later than any wait can be, because a clock that was ahead has set them: ends
	// of leases, deliveries, beginnings of requests, maintenance times of audiences, and changes of uploads.
	ResetFutureTimes(ctx context.Context, now time.Time) error
	// EndLeases ends every lease and every QuotaHold, for the only process of a single-machine installation at its start.
	EndLeases(ctx context.Context) error
	// OpenAttempt records that the worker starts to work on a task or a run.
	OpenAttempt(ctx context.Context, id, worker string) error
	// CloseAttempt records that no worker works on a task or a run. The record of its attempts stays.
	CloseAttempt(ctx context.Context, id string) error
	// EndAttempts removes the record of attempts of a task or a run that ended.
	EndAttempts(ctx context.Context, id string) error
	// CountDeath records the death of a worker for the tasks and runs that it was working on, with the cause and the
	// files that it was reading for each. It returns their number, and removes the records of those that ended.
	CountDeath(ctx context.Context, worker, cause string, files map[string][]string) (int, error)
}

// Attempt is the record of the attempts at a task or a run.
type Attempt struct {
	Deaths int      // how often a process died by its own fault during the work
	Cause  string   // of the last one
	Files  []string // that were being read at the last death
}
