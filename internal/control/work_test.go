package control_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"roster/internal/audience"
	"roster/internal/ingest"
	"roster/internal/job"
	"roster/internal/lake"
	"roster/internal/meta"
	"roster/internal/profile"
)

func cleanupJob(id audience.ID) job.Job { return job.Job{Kind: job.Cleanup, ID: string(id)} }

// recover finds unfinished work, which must be exactly these jobs.
func (w *world) recover(what string, want ...job.Job) {
	w.t.Helper()
	if err := w.Recover(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.jobs.want(what, want...)
}

func (w *world) unswept() int {
	w.t.Helper()
	list, err := w.store.AwaitingCleanup(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return len(list)
}

func TestRecover(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("a"))
	b := w.submit(draft("b"))
	w.jobs.take()
	run := w.start(a.ID)
	task, err := w.Submit(t.Context(), w.editor, draft("c"))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteAudience(t.Context(), w.editor, b.ID); err != nil {
		t.Fatal(err)
	}
	w.jobs.want("the use cases", runJob(run), taskJob(task), cleanupJob(b.ID))
	w.recover("what is in the queue")

	w.use(w.config("after a restart"))
	w.recover("after a restart", taskJob(task), runJob(run), cleanupJob(b.ID))
	w.recover("again")
	w.clock.advance(11 * time.Minute)
	w.recover("after a long time", taskJob(task), runJob(run), cleanupJob(b.ID), job.Job{Kind: job.Retention, ID: "all"})

	w.store.failing(func() error { return errDown })
	if err := w.Handle(t.Context(), runJob(run)); !errors.Is(err, errDown) {
		t.Error(err)
	}
	w.store.failing(nil)
	w.recover("what the queue retries")
	w.handle(runJob(run))
	w.handle(taskJob(task))
	w.handle(cleanupJob(b.ID))
	w.recover("when all is done")
}

// TestRecoverRefused lets the transaction of Recover fail. The next Recover enqueues the jobs.
func TestRecoverRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("a"))
	run := w.start(a.ID)
	w.jobs.take()
	w.use(w.config("after a restart"))
	w.store.failAfter(0)
	if err := w.Recover(t.Context()); !errors.Is(err, errDown) {
		t.Error(err)
	}
	w.recover("the next time", runJob(run))
}

func TestDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("list"))
	run := w.start(a.ID)
	w.handle(runJob(run))
	w.jobs.take()
	if err := w.DeleteAudience(t.Context(), w.editor, a.ID); err != nil {
		t.Fatal(err)
	}
	w.jobs.want("delete", cleanupJob(a.ID))
	_, err := w.Audience(t.Context(), w.editor, a.ID)
	wantCode(t, "audience", err, audience.NotFound)
	_, err = w.Run(t.Context(), w.editor, a.ID, run.ID)
	wantCode(t, "run", err, audience.NotFound)
	_, err = w.StartRun(t.Context(), w.editor, a.ID, audience.RunRequest{})
	wantCode(t, "new run", err, audience.NotFound)
	wantCode(t, "delete again", w.DeleteAudience(t.Context(), w.editor, a.ID), audience.NotFound)
	w.submit(draft("list")) // the name can be used again

	w.lake.down(errDown)
	if err := w.Handle(t.Context(), cleanupJob(a.ID)); !errors.Is(err, errDown) {
		t.Error(err)
	}
	w.lake.down(nil)
	w.handle(cleanupJob(a.ID))
	if w.lake.count() != 1 || w.profile.drops[0] != (profile.Ref{Sandbox: w.sandbox.Num, Audience: a.Num}) {
		t.Errorf("tables %v, drops %v", w.lake.tables, w.profile.drops)
	}
	// Another process may still write while it holds its lease. The second sweep removes what it writes.
	if err := w.lake.Create(t.Context(), lake.TableID{Namespace: "ABC_40RosterOrg__prod", Name: string(a.ID)}, a.Name, nil); err != nil {
		t.Fatal(err)
	}
	w.jobs.take()
	w.clock.advance(29 * time.Second)
	w.recover("before a lease can have ended")
	w.clock.advance(time.Second)
	w.recover("after any lease", cleanupJob(a.ID))
	w.handle(cleanupJob(a.ID))
	if w.unswept() != 0 || w.lake.count() != 1 {
		t.Errorf("%d unswept, tables %v", w.unswept(), w.lake.tables)
	}
	w.handle(cleanupJob(a.ID))
	w.recover("after the sweep")
}

// TestDeleteDuringRun deletes an audience during a run of this process.
func TestDeleteDuringRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("list"))
	run := w.start(a.ID)
	running, swept := make(chan struct{}), make(chan error, 1)
	w.pipeline.set(func(ctx context.Context, s ingest.Spec) (audience.Run, error) {
		close(running)
		<-ctx.Done()
		if w.lake.count() != 1 {
			t.Error("the dataset was dropped under a run")
		}
		return s.Run, ctx.Err()
	})
	go func() {
		<-running
		if err := w.DeleteAudience(t.Context(), w.editor, a.ID); err != nil {
			t.Error(err)
		}
		swept <- w.Handle(t.Context(), cleanupJob(a.ID))
	}()
	w.handle(runJob(run))
	if err := <-swept; err != nil || w.lake.count() != 0 {
		t.Errorf("sweep: %v, tables %v", err, w.lake.tables)
	}
	w.handle(runJob(run)) // the run has already ended
	if w.pipeline.calls() != 1 {
		t.Errorf("%d calls of the pipeline", w.pipeline.calls())
	}
}

// TestDeleteElsewhere deletes an audience in another process. The next checkpoint of the run is refused.
func TestDeleteElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("list"))
	run := w.start(a.ID)
	w.pipeline.set(func(ctx context.Context, s ingest.Spec) (audience.Run, error) {
		if err := w.elsewhere().DeleteAudience(ctx, w.editor, a.ID); err != nil {
			t.Error(err)
		}
		err := s.Host.Save(ctx, s.Run)
		if !errors.Is(err, meta.ErrStale) {
			t.Errorf("save: %v", err)
		}
		return s.Run, err
	})
	w.handle(runJob(run))
}

// waiting is a pipeline that runs until its context ends.
func waiting(ctx context.Context, s ingest.Spec) (audience.Run, error) {
	<-ctx.Done()
	return s.Run, ctx.Err()
}

// bubble makes a world whose time advances when every goroutine waits.
func bubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		cfg := w.config("worker-1")
		cfg.Clock = time.Now
		w.use(cfg)
		test(t, w)
	})
}

// TestLeaseIsRenewed runs much longer than a lease while another worker tries to take the run.
func TestLeaseIsRenewed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		run := w.start(w.submit(draft("list")).ID)
		w.pipeline.set(func(ctx context.Context, s ingest.Spec) (audience.Run, error) {
			for range 30 {
				time.Sleep(10 * time.Second)
				err := w.store.Store.Update(ctx, func(tx meta.Tx) error {
					_, err := tx.AcquireRun(ctx, run.ID, "thief", time.Now(), time.Now().Add(time.Minute))
					return err
				})
				if !errors.Is(err, meta.ErrLeaseHeld) {
					t.Errorf("another worker: %v", err)
				}
			}
			return succeed(ctx, s)
		})
		w.handle(runJob(run))
		if got := w.run(run.AudienceID, run.ID); got.Status != audience.Success {
			t.Errorf("%+v", got)
		}
	})
}

// TestLeaseIsLost gives the run to another worker. The context of the first worker ends at its next renewal.
func TestLeaseIsLost(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		run := w.start(w.submit(draft("list")).ID)
		start := time.Now()
		w.pipeline.set(func(ctx context.Context, s ingest.Spec) (audience.Run, error) {
			w.clock.advance(time.Since(w.clock.now()))
			w.takeOver(run.ID)
			return waiting(ctx, s)
		})
		w.handle(runJob(run))
		if passed := time.Since(start); passed > 10*time.Second {
			t.Errorf("noticed after %v", passed)
		}
		if got := w.run(run.AudienceID, run.ID); got.Status != audience.Processing {
			t.Errorf("%+v", got)
		}
	})
}

// TestStoreGoesDown lets the store fail. A short failure does no harm. In a long one the run stops before its lease
// ends.
func TestStoreGoesDown(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		run := w.start(w.submit(draft("list")).ID)
		w.pipeline.set(func(ctx context.Context, s ingest.Spec) (audience.Run, error) {
			w.store.failing(func() error { return errDown })
			time.Sleep(20 * time.Second)
			if ctx.Err() != nil {
				t.Error("stopped too early")
			}
			w.store.failing(nil)
			time.Sleep(time.Minute)
			w.store.failing(func() error { return errDown })
			start := time.Now()
			<-ctx.Done()
			if passed := time.Since(start); passed > 30*time.Second {
				t.Errorf("stopped after %v", passed)
			}
			return s.Run, ctx.Err()
		})
		if err := w.Handle(t.Context(), runJob(run)); err == nil {
			t.Error("the run ended")
		}
		w.store.failing(nil)
		w.pipeline.set(nil)
		w.handle(runJob(run))
		if got := w.run(run.AudienceID, run.ID); got.Status != audience.Success {
			t.Errorf("%+v", got)
		}
	})
}
