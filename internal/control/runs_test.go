package control_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/ingest"
	"roster/internal/lake"
	"roster/internal/meta"
	"roster/internal/source"
)

func runQuery() audience.RunQuery { return audience.RunQuery{} }

func TestStartRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("list"))
	w.jobs.take()
	run, err := w.StartRun(t.Context(), w.editor, audience.ID(strings.ToUpper(string(a.ID))), audience.RunRequest{Differential: true, Reason: "weekly"})
	if err != nil {
		t.Fatal(err)
	}
	now := w.clock.now()
	if run.Status != audience.Processing || run.AudienceID != a.ID || run.AudienceName != "list" || run.Seq != 1 || run.CreatedBy != "client-1" ||
		!run.CreatedAt.Equal(now) || !run.Request.WindowEnd.Equal(now) || !run.Request.Differential || run.Request.Reason != "weekly" {
		t.Errorf("%+v", run)
	}
	if len(run.Stages) != 2 || run.Stages[0].Stage != audience.StageDataset || run.Stages[1].Stage != audience.StageProfile {
		t.Fatalf("%+v", run.Stages)
	}
	flows := map[string]bool{run.FlowID: true}
	for _, st := range run.Stages {
		if st.Status != audience.Processing || len(st.FlowRunID) != 36 || flows[st.FlowRunID] {
			t.Errorf("%+v", st)
		}
		flows[st.FlowRunID] = true
	}
	w.jobs.want("start", runJob(run))
	_, err = w.StartRun(t.Context(), w.editor, a.ID, audience.RunRequest{})
	wantCode(t, "a second run", err, audience.Impossible, string(run.ID))
	w.jobs.want("a refused start")

	w.handle(runJob(run))
	next := w.start(a.ID)
	if next.FlowID != run.FlowID || next.Seq != 2 || next.ID == run.ID {
		t.Errorf("%+v", next)
	}
	b := draft("unlisted")
	b.ProfileIngestion = false
	if run := w.start(w.submit(b).ID); len(run.Stages) != 1 || run.FlowID == next.FlowID {
		t.Errorf("%+v", run)
	}
}

func TestStartRunWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := w.clock.now()
	for name, c := range map[string]struct {
		start, end time.Time
		refused    string
	}{
		"end before start": {now, now.Add(-time.Second), "dataFilterEndTime"},
		"start to come":    {now.Add(time.Hour), time.Time{}, "dataFilterStartTime"},
		"end to come":      {time.Unix(764245635, 0), now.Add(1000 * time.Hour), ""},
		"empty":            {now, now, ""},
	} {
		a := w.submit(draft(name))
		run, err := w.StartRun(t.Context(), w.editor, a.ID, audience.RunRequest{WindowStart: c.start, WindowEnd: c.end})
		if c.refused != "" {
			wantCode(t, name, err, audience.Invalid, c.refused)
		} else if err != nil || !run.Request.WindowStart.Equal(c.start) || !run.Request.WindowEnd.Equal(c.end) {
			t.Errorf("%s: %+v, %v", name, run.Request, err)
		}
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("list"))
	run := w.start(a.ID)
	w.pipeline.set(func(ctx context.Context, s ingest.Spec) (audience.Run, error) {
		if _, err := s.Source.Stat(ctx, "in.csv"); err != nil {
			t.Error(err)
		}
		if read, err := s.Host.ReadBefore(ctx, manifest); err != nil || len(read) != 0 {
			t.Errorf("%v, %v", read, err)
		}
		r, err := succeed(ctx, s)
		if stored := w.run(a.ID, run.ID); stored.Status != audience.Processing || len(stored.Planned) != 1 {
			t.Errorf("after a checkpoint: %+v", stored)
		}
		return r, err
	})
	for range 2 { // the second time the run has already ended
		w.handle(runJob(run))
	}
	if w.pipeline.calls() != 1 {
		t.Fatalf("%d calls of the pipeline", w.pipeline.calls())
	}
	spec := w.pipeline.specs[0]
	if spec.Run.ID != run.ID || spec.Audience.ID != a.ID || spec.Audience.Num == 0 || spec.SandboxNum != w.sandbox.Num ||
		spec.Table != (lake.TableID{Namespace: "ABC_40RosterOrg__prod", Name: string(a.ID)}) {
		t.Errorf("%+v", spec)
	}
	if stored := w.run(a.ID, run.ID); stored.Status != audience.Success || stored.Result.Members.After != 1 || stored.EndedAt.IsZero() {
		t.Errorf("%+v", stored)
	}
	if after := w.stored(a.ID); after.LastRun != run.ID || after.Members != 1 {
		t.Errorf("%+v", after)
	}
	w.pipeline.set(func(ctx context.Context, s ingest.Spec) (audience.Run, error) {
		if read, err := s.Host.ReadBefore(ctx, manifest); err != nil || !read["in.csv\x00v1"] {
			t.Errorf("%v, %v", read, err)
		}
		return succeed(ctx, s)
	})
	w.handle(runJob(w.start(a.ID)))
	list, total, err := w.Runs(t.Context(), w.editor, a.ID, runQuery())
	if err != nil || total != 2 || len(list) != 2 || list[1].ID != run.ID {
		t.Errorf("%v %d %v", list, total, err)
	}
}

func TestRunsQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("list"))
	ok := func(name, op, value string) audience.RunFilter {
		return audience.RunFilter{Property: name, Op: op, Value: value}
	}
	for _, q := range []audience.RunQuery{
		{}, {Limit: 40, SortBy: "name"}, {Filters: []audience.RunFilter{ok("name", "=contains", "li"), ok("status", "!=", "FAILED"), ok("createdAt", ">", "17")}},
	} {
		if _, _, err := w.Runs(t.Context(), w.editor, a.ID, q); err != nil {
			t.Errorf("%+v: %v", q, err)
		}
	}
	for mention, q := range map[string]audience.RunQuery{
		"limit": {Limit: 41}, "limit: must": {Limit: -1}, "start": {Offset: -1}, "sortBy": {SortBy: "status"},
		"name allows":      {Filters: []audience.RunFilter{ok("name", ">", "a")}},
		"createdAt allows": {Filters: []audience.RunFilter{ok("createdAt", ">", "soon")}},
		"seconds":          {Filters: []audience.RunFilter{ok("createdAt", "=", "1")}},
		"\"rows\"":         {Filters: []audience.RunFilter{ok("rows", "=", "1")}},
	} {
		_, _, err := w.Runs(t.Context(), w.editor, a.ID, q)
		wantCode(t, mention, err, audience.Invalid, mention)
	}
	for _, id := range []audience.RunID{"0b6f3a57-1111-4222-8333-444455556666", "x"} {
		_, err := w.Run(t.Context(), w.editor, a.ID, id)
		wantCode(t, string(id), err, audience.NotFound, string(id))
	}
	_, err := w.Run(t.Context(), w.editor, "x", "y")
	wantCode(t, "no audience", err, audience.NotFound)
}

// TestRunWithoutSource starts a run whose connection can no longer be opened. The run fails, unless an earlier attempt
// had committed it.
func TestRunWithoutSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := w.connect("files", w.root+"/sub")
	w.write(w.root+"/sub/in.csv", "mail\n")
	d := draft("list")
	from(conn.ID, "")(&d)
	a := w.submit(d)
	if err := os.RemoveAll(w.root + "/sub"); err != nil {
		t.Fatal(err)
	}
	run := w.start(a.ID)
	w.handle(runJob(run))
	stored := w.run(a.ID, run.ID)
	if stored.Status != audience.Failed || stored.EndedAt.IsZero() || stored.Stages[0].Status != audience.Failed || stored.Stages[1].Status != audience.Failed {
		t.Errorf("%+v", stored)
	}
	wantCode(t, "the run", stored.Error, audience.BadGateway, "files")
	wantCode(t, "its first stage", stored.Stages[0].Error, audience.BadGateway)
	if len(w.pipeline.specs) != 1 || w.pipeline.specs[0].Refused == nil {
		t.Error("the pipeline was to read a source that there is not")
	}

	w.pipeline.set(func(ctx context.Context, s ingest.Spec) (audience.Run, error) {
		if s.Refused == nil {
			t.Error("the pipeline was to read a source that there is not")
		}
		return succeed(ctx, s) // the snapshot of the run exists
	})
	run = w.start(a.ID)
	w.handle(runJob(run))
	if stored := w.run(a.ID, run.ID); stored.Status != audience.Success {
		t.Errorf("a committed run ended as %+v", stored)
	}
}

func TestRunFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("list"))
	run := w.start(a.ID)
	w.pipeline.set(func(_ context.Context, s ingest.Spec) (audience.Run, error) {
		s.Run.Status, s.Run.Error = audience.Failed, audience.Errorf(audience.Impossible, "in.csv is empty")
		return s.Run, nil
	})
	w.handle(runJob(run))
	stored := w.run(a.ID, run.ID)
	wantCode(t, "the run", stored.Error, audience.Impossible, "in.csv")
	if after := w.stored(a.ID); after.LastRun != "" || stored.Status != audience.Failed {
		t.Errorf("%+v %+v", stored, after)
	}
	w.start(a.ID)
}

// TestRunCrashes stops a run at each of its steps. When the job is repeated, also by another process, the run ends as
// if nothing had happened.
func TestRunCrashes(t *testing.T) {
	t.Parallel()
	broken := func(_ context.Context, s ingest.Spec) (audience.Run, error) { return s.Run, errDown }
	open := func(_ context.Context, s ingest.Spec) (audience.Run, error) { return s.Run, nil }
	for name, c := range map[string]struct {
		fail     func(w *world)
		pipeline int // number of calls
	}{
		"before the lease":  {func(w *world) { w.store.failAfter(0) }, 1},
		"in the pipeline":   {func(w *world) { w.pipeline.set(broken) }, 2},
		"left open":         {func(w *world) { w.pipeline.set(open) }, 2},
		"at the checkpoint": {func(w *world) { w.store.failAfter(1) }, 2},
		"at the end":        {func(w *world) { w.store.failAfter(2) }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.submit(draft("list"))
			run := w.start(a.ID)
			c.fail(w)
			if err := w.Handle(t.Context(), runJob(run)); err == nil || name != "left open" && !errors.Is(err, errDown) {
				t.Errorf("got %v", err)
			}
			w.store.failing(nil)
			w.pipeline.set(nil)
			if stored := w.run(a.ID, run.ID); stored.Status != audience.Processing {
				t.Errorf("%+v", stored)
			}
			if err := w.other().Handle(t.Context(), runJob(run)); err != nil {
				t.Error(err)
			}
			if stored := w.run(a.ID, run.ID); stored.Status != audience.Success || stored.Result.Members.After != 1 {
				t.Errorf("%+v", stored)
			}
			if w.pipeline.calls() != c.pipeline {
				t.Errorf("%d calls of the pipeline", w.pipeline.calls())
			}
		})
	}
}

// TestRunResumes checks that the next attempt gets the manifest that the first attempt pinned.
func TestRunResumes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("list"))
	run := w.start(a.ID)
	w.pipeline.set(func(ctx context.Context, s ingest.Spec) (audience.Run, error) {
		s.Run.Planned = manifest
		return s.Run, errors.Join(s.Host.Save(ctx, s.Run), errDown)
	})
	if err := w.Handle(t.Context(), runJob(run)); !errors.Is(err, errDown) {
		t.Fatal(err)
	}
	w.pipeline.set(nil)
	w.handle(runJob(run))
	if spec := w.pipeline.specs[1]; len(spec.Run.Planned) != 1 || spec.Run.Planned[0] != manifest[0] {
		t.Errorf("%+v", spec.Run.Planned)
	}
}

// TestRunTakenOver gives a run with an expired lease to another worker. The checkpoint of the first worker is refused,
// and the first worker stops.
func TestRunTakenOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("list"))
	run := w.start(a.ID)
	w.pipeline.set(func(ctx context.Context, s ingest.Spec) (audience.Run, error) {
		w.takeOver(run.ID)
		err := s.Host.Save(ctx, s.Run)
		if !errors.Is(err, meta.ErrStale) {
			t.Errorf("save: %v", err)
		}
		return s.Run, err
	})
	w.handle(runJob(run))
	if stored := w.run(a.ID, run.ID); stored.Status != audience.Processing {
		t.Errorf("%+v", stored)
	}
	w.handle(runJob(run)) // another worker holds the lease
	if w.pipeline.calls() != 1 {
		t.Errorf("%d calls of the pipeline", w.pipeline.calls())
	}
	// The first worker cannot end the run either.
	w.clock.advance(31 * time.Second)
	w.pipeline.set(func(ctx context.Context, s ingest.Spec) (audience.Run, error) {
		r, err := succeed(ctx, s)
		w.takeOver(run.ID)
		return r, err
	})
	w.handle(runJob(run))
	if stored := w.run(a.ID, run.ID); stored.Status != audience.Processing {
		t.Errorf("%+v", stored)
	}
}

// takeOver gives the run's lease to another worker.
func (w *world) takeOver(id audience.RunID) {
	now := w.clock.now()
	err := w.store.Store.Update(w.t.Context(), func(tx meta.Tx) error {
		if err := tx.EndLeases(w.t.Context()); err != nil {
			return err
		}
		_, err := tx.AcquireRun(w.t.Context(), id, "thief", now, now.Add(30*time.Second))
		return err
	})
	if err != nil {
		w.t.Error(err)
	}
}

// TestOneAtATime handles a job while the same process already handles it with the same lease.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("list"))
	run := w.start(a.ID)
	w.pipeline.set(func(ctx context.Context, s ingest.Spec) (audience.Run, error) {
		w.handle(runJob(run))
		return succeed(ctx, s)
	})
	w.handle(runJob(run))
	if w.pipeline.calls() != 1 || w.run(a.ID, run.ID).Status != audience.Success {
		t.Errorf("%d calls of the pipeline", w.pipeline.calls())
	}
}

// TestStopped cancels the context of a job, as a stopping process does. The next process continues the run without
// waiting for the end of the lease.
func TestStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("list"))
	run := w.start(a.ID)
	ctx, cancel := context.WithCancel(t.Context())
	w.pipeline.set(func(ctx context.Context, s ingest.Spec) (audience.Run, error) {
		cancel()
		<-ctx.Done()
		return s.Run, ctx.Err()
	})
	if err := w.Handle(ctx, runJob(run)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	w.pipeline.set(nil)
	if err := w.other().Handle(t.Context(), runJob(run)); err != nil {
		t.Error(err)
	}
	if got := w.run(a.ID, run.ID); got.Status != audience.Success {
		t.Errorf("%+v", got)
	}
}

// closer records that it was closed.
type closer struct {
	source.Store
	closed *int
}

func (c closer) Close() error {
	*c.closed++
	return nil
}

func TestSourcesAreClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	opened, closed := 0, 0
	cfg := w.config("worker-3")
	cfg.Open = func(ctx context.Context, scope audience.Scope, conn *audience.Connection) (source.Store, error) {
		opened++
		src, err := w.open(ctx, scope, conn)
		return closer{src, &closed}, err
	}
	w.use(cfg)
	w.connect("files", w.root)
	a := w.submit(draft("list"))
	w.handle(runJob(w.start(a.ID)))
	if _, err := w.Upload(t.Context(), w.editor, "a.csv", whole(strings.NewReader("mail\n"))); err != nil {
		t.Error(err)
	}
	if opened != 3 || closed != opened {
		t.Errorf("opened %d, closed %d", opened, closed)
	}
}
