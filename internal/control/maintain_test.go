package control_test

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/ingest"
	"roster/internal/job"
)

func maintenanceOf(a audience.Audience) job.Job {
	return job.Job{Kind: job.Maintain, ID: strconv.Itoa(int(a.Num))}
}

// due returns the maintenance jobs that Recover enqueues at this moment.
func (w *world) due() []job.Job {
	w.t.Helper()
	w.jobs.take()
	if err := w.Recover(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return w.jobs.take()
}

func TestMaintenanceIsDueOncePerDay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("a"))
	w.submit(draft("never run"))
	w.handle(job.Job{Kind: job.Run, ID: string(w.start(a.ID).ID)})
	if jobs := w.due(); len(jobs) != 0 {
		t.Fatalf("an audience of today is maintained: %v", jobs)
	}
	w.clock.advance(25 * time.Hour)
	j := maintenanceOf(a)
	jobs := w.due()
	if len(jobs) != 2 || jobs[0] != j || jobs[1].Kind != job.Retention {
		t.Fatalf("%v", jobs)
	}
	for _, j := range jobs {
		w.handle(j)
	}
	if got := len(w.pipeline.upkeeps); got != 1 || w.pipeline.upkeeps[0].Keep != audience.DefaultUndoWindow {
		t.Fatalf("%d upkeeps: %+v", got, w.pipeline.upkeeps)
	}
	if want := w.clock.now().Add(-audience.ExitedFor).Unix(); len(w.profile.sweeps) != 1 || w.profile.sweeps[0] != want {
		t.Fatalf("swept %v, want %d", w.profile.sweeps, want)
	}
	w.handle(j) // repeated
	if jobs := w.due(); len(jobs) != 0 || len(w.pipeline.upkeeps) != 1 {
		t.Fatalf("maintained twice a day: %v", jobs)
	}
	w.clock.advance(25 * time.Hour)
	if jobs := w.due(); len(jobs) != 2 {
		t.Fatalf("%v", jobs)
	}
}

// Only a run that leaves files worth compacting enqueues a compaction.
func TestCompactionAfterRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("a"))
	compact := job.Job{Kind: job.Compact, ID: strconv.Itoa(int(a.Num))}
	for _, worn := range []bool{false, true} {
		w.pipeline.worn = worn
		w.jobs.take()
		run := w.start(a.ID)
		w.handle(job.Job{Kind: job.Run, ID: string(run.ID)})
		if jobs := w.jobs.take(); slices.Contains(jobs, compact) != worn {
			t.Errorf("worn %v: %v", worn, jobs)
		}
	}
	w.handle(compact)
	w.handle(job.Job{Kind: job.Compact, ID: "4711"}) // an audience that was deleted
	if w.pipeline.compactions != 1 {
		t.Errorf("%d compactions", w.pipeline.compactions)
	}
}

func TestMaintenanceWaitsForRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("a"))
	first := w.start(a.ID)
	w.handle(job.Job{Kind: job.Run, ID: string(first.ID)})
	w.clock.advance(25 * time.Hour)
	run := w.start(a.ID)
	w.handle(maintenanceOf(a))
	if got := w.audience(a.ID); !got.MaintainedAt.IsZero() {
		t.Fatal("it was maintained beside a run")
	}
	w.handle(job.Job{Kind: job.Run, ID: string(run.ID)})
	var running []bool
	w.pipeline.maintain = func(ctx context.Context, u ingest.Upkeep) (ingest.Maintained, error) {
		running = []bool{u.Runs.InProgress(ctx, first.ID), u.Runs.InProgress(ctx, run.ID)}
		second := w.start(a.ID)
		running = append(running, u.Runs.InProgress(ctx, second.ID))
		err := u.Runs.Idle(ctx)
		w.handle(job.Job{Kind: job.Run, ID: string(second.ID)})
		return ingest.Maintained{}, err
	}
	w.handle(maintenanceOf(a))
	if len(running) != 3 || running[0] || running[1] || !running[2] {
		t.Fatalf("runs in progress: %v", running)
	}
	if got := w.audience(a.ID); !got.MaintainedAt.IsZero() {
		t.Fatal("a run that began meanwhile was not seen")
	}
}

func TestMaintenanceTakesOutWhoseTimeIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("a"))
	w.handle(job.Job{Kind: job.Run, ID: string(w.start(a.ID).ID)})
	w.clock.advance(25 * time.Hour)
	w.pipeline.maintain = func(context.Context, ingest.Upkeep) (ingest.Maintained, error) {
		return ingest.Maintained{Overdue: true}, nil
	}
	w.jobs.take()
	w.handle(maintenanceOf(a))
	jobs := w.jobs.take()
	if len(jobs) != 1 || jobs[0].Kind != job.Run {
		t.Fatalf("%v", jobs)
	}
	w.handle(jobs[0])
	runs, _, err := w.Runs(t.Context(), w.editor, a.ID, audience.RunQuery{})
	if err != nil || len(runs) != 2 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	r := runs[0]
	if r.Request.Kind != audience.RunExpire || !r.Request.Differential || r.CreatedBy != audience.SystemUser || r.Status != audience.Success {
		t.Fatalf("%+v", r)
	}
	if got := w.audience(a.ID); got.LastRun != runs[1].ID || !got.MaintainedAt.Equal(w.clock.now()) {
		t.Fatalf("%+v", got)
	}
}

func (w *world) audience(id audience.ID) audience.Audience {
	w.t.Helper()
	a, err := w.Audience(w.t.Context(), w.editor, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}
