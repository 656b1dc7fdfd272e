package work

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"roster/internal/audience"
	"roster/internal/job"
	"roster/internal/meta"
)

// The duration of a worker's lease on a task or a run, and the interval at which the worker renews it. The worker of a
// run that was deleted, or that another worker took over, notices this within renewEvery.
const (
	leaseFor   = 30 * time.Second
	renewEvery = 8 * time.Second
)

// worklist is this process's knowledge of jobs: those in progress, so that none is done twice at a time under one
// lease, and the times at which cleanups and checks are due.
type worklist struct {
	mu        sync.Mutex
	active    map[job.Job]*activity
	cleaned   map[audience.ID]time.Time // first cleanup of a deleted audience
	retention time.Time                 // time of the next retention
	verify    bool                      // a comparison with the datasets is due
}

// activity is a job in progress in this process.
type activity struct {
	audience audience.ID // of a run, once it is known
	again    bool        // an equal job came meanwhile
	cancel   context.CancelCauseFunc
	done     chan struct{}
}

func newWorklist(now time.Time) worklist {
	return worklist{active: map[job.Job]*activity{}, cleaned: map[audience.ID]time.Time{},
		retention: now.Add(firstRetention)}
}

// begin marks a job as in progress; false if another goroutine does it. That one then repeats the job.
func (w *worklist) begin(ctx context.Context, j job.Job) (context.Context, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if act := w.active[j]; act != nil {
		act.again = true
		return nil, false
	}
	ctx, cancel := context.WithCancelCause(ctx)
	w.active[j] = &activity{cancel: cancel, done: make(chan struct{})}
	return ctx, true
}

// repeat reports whether an equal job came meanwhile, so that the job must be repeated. If not, the job ends.
func (w *worklist) repeat(j job.Job) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if act := w.active[j]; act.again {
		act.again = false
		return true
	}
	w.remove(j)
	return false
}

// end marks a job as no longer in progress.
func (w *worklist) end(j job.Job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.remove(j)
}

// remove ends a job that has not ended. The caller holds the lock.
func (w *worklist) remove(j job.Job) {
	if act := w.active[j]; act != nil {
		act.cancel(nil)
		close(act.done)
		delete(w.active, j)
	}
}

// works records that the job in progress is a run of the audience.
func (w *worklist) works(j job.Job, id audience.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.active[j].audience = id
}

// stop cancels the runs of an audience in this process and waits for their end.
func (w *worklist) stop(ctx context.Context, id audience.ID) error {
	w.mu.Lock()
	var runs []*activity
	for _, act := range w.active {
		if act.audience == id {
			runs = append(runs, act)
		}
	}
	w.mu.Unlock()
	for _, act := range runs {
		act.cancel(errDeleted)
		select {
		case <-act.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// idle returns the jobs that are not in progress here.
func (w *worklist) idle(jobs []job.Job) (idle []job.Job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, j := range jobs {
		if w.active[j] == nil {
			idle = append(idle, j)
		}
	}
	return idle
}

// firstCleanup returns when this process first cleaned up after the audience, which is now if it never did.
func (w *worklist) firstCleanup(id audience.ID, now time.Time) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.cleaned[id]; !ok {
		w.cleaned[id] = now
	}
	return w.cleaned[id]
}

// cleanupDue reports whether to clean up after a deleted audience: for the first time, or once more after leaseFor.
func (w *worklist) cleanupDue(id audience.ID, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	first, ok := w.cleaned[id]
	return !ok || now.Sub(first) >= leaseFor
}

// retentionDue reports whether the retention is due.
func (w *worklist) retentionDue(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !now.Before(w.retention)
}

func (w *worklist) retained(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.retention = at.Add(maintainEvery)
}

// verifyDue reports whether to compare the profile store with the datasets.
func (w *worklist) verifyDue() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.verify
}

func (w *worklist) wantVerified(want bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.verify = want
}

func (w *worklist) cleanedUp(id audience.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.cleaned, id)
}

// Handle does a job. It is idempotent: if the job was interrupted or has ended, it does what is left. After an error
// the job has to be done again later.
func (s *Service) Handle(ctx context.Context, j job.Job) error {
	k := s.kinds[j.Kind]
	if k == nil {
		return fmt.Errorf("work: there is no kind of job %q", j.Kind)
	}
	s.cfg.Jobs.Dequeued(j)
	ctx, ok := s.work.begin(ctx, j)
	if !ok {
		return nil
	}
	done := false // unless the job returns
	defer func() {
		if !done {
			s.work.end(j)
			s.cfg.Jobs.Queued(j) // the queue retries it
		}
	}()
	for !done { // an equal job that came meanwhile may be about work that was recorded meanwhile
		if err := s.inTurn(ctx, k, j); err != nil {
			return err
		}
		done = !s.work.repeat(j)
	}
	return nil
}

// release ends the lease of a job that has to be done again, so that the next attempt does not have to wait.
func (s *Service) release(ctx context.Context, j job.Job) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewEvery)
	defer cancel()
	now := s.now()
	err := s.cfg.Store.Update(ctx, func(tx meta.Tx) (err error) {
		switch j.Kind {
		case job.Task:
			_, err = tx.AcquireTask(ctx, audience.TaskID(j.ID), s.cfg.Worker, now, now)
		case job.Run:
			err = tx.RenewRun(ctx, audience.RunID(j.ID), s.cfg.Worker, now, now)
		default:
			return nil
		}
		if err != nil {
			return err
		}
		return tx.CloseAttempt(ctx, j.ID)
	})
	if err != nil && !notOurs(err) {
		s.cfg.Log.With(job.LogAttributes(ctx)...).Warn("release a lease", "kind", j.Kind, "id", j.ID, "error", err)
	}
}

// notOurs reports whether an error of the store means that the work has ended, was deleted, or belongs to another
// worker.
func notOurs(err error) bool {
	return errors.Is(err, meta.ErrStale) || errors.Is(err, meta.ErrLeaseHeld) || errors.Is(err, meta.ErrNotFound)
}

// Recover enqueues the tasks and runs without a worker, and the cleanups, emptied sandboxes, erasures, webhook deliveries
// and maintenance that are due. It is called at the start, before the port opens, and every few seconds.
func (s *Service) Recover(ctx context.Context) error {
	now := s.now()
	tasks, runs, err := s.cfg.Store.Unfinished(ctx, now)
	if err != nil {
		return fmt.Errorf("look for unfinished work: %w", err)
	}
	uncleaned, err := s.cfg.Store.AwaitingCleanup(ctx)
	if err != nil {
		return fmt.Errorf("look for deleted audiences: %w", err)
	}
	var jobs []job.Job
	for _, t := range tasks {
		jobs = append(jobs, job.Job{Kind: job.Task, ID: string(t.ID)})
	}
	for _, r := range runs {
		jobs = append(jobs, job.Job{Kind: job.Run, ID: string(r.ID)})
	}
	for _, d := range uncleaned {
		if s.work.cleanupDue(d.ID, now) {
			jobs = append(jobs, job.Job{Kind: job.Cleanup, ID: string(d.ID)})
		}
	}
	leaving, err := s.leavingSandboxes(ctx)
	if err != nil {
		return err
	}
	jobs = append(jobs, leaving...)
	scheduled, err := s.scheduled(ctx, now)
	if err != nil {
		return err
	}
	jobs = append(jobs, scheduled...)
	unsent, err := s.unsent(ctx, now)
	if err != nil {
		return err
	}
	jobs = append(jobs, unsent...)
	erasing, err := s.erasing(ctx)
	if err != nil {
		return err
	}
	jobs = append(jobs, erasing...)
	jobs = append(jobs, s.projecting()...)
	due, err := s.maintenance(ctx, now)
	if err != nil {
		return err
	}
	if jobs = s.work.idle(s.cfg.Jobs.Missing(append(jobs, due...))); len(jobs) == 0 {
		return nil
	}
	err = s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
		for _, j := range jobs {
			if err := s.cfg.Jobs.Enqueue(ctx, tx, j); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.cfg.Jobs.Dequeued(jobs...)
		return fmt.Errorf("enqueue unfinished work: %w", err)
	}
	return nil
}
