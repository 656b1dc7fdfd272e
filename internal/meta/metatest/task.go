package metatest

import (
	"errors"
	"time"

	"roster/internal/audience"
	"roster/internal/meta"
)

func testTasks(w *world) {
	_, err := w.s.Task(w.Context(), w.scope, "no")
	w.want(err, meta.ErrNotFound)
	task := w.submit(w.draft("a"), at(0))
	got, err := w.s.Task(w.Context(), w.scope, task.ID)
	w.must(err)
	equal(w, "task", got, task)
	_, err = w.s.Audience(w.Context(), w.scope, task.AudienceID)
	w.want(err, meta.ErrNotFound)

	same := w.task(w.draft("b"), at(0))
	same.ID = task.ID
	w.refused(meta.ErrDuplicate, func(tx meta.Tx) error { return tx.CreateTask(w.Context(), same) })
}

func testTaskNames(w *world) {
	w.tenant()
	draft := w.draft("a")
	draft.CustomID = "custom"
	task := w.submit(draft, at(0))

	taken := func(field string, d audience.Audience) {
		w.Helper()
		err := w.s.Update(w.Context(), func(tx meta.Tx) error { return tx.CreateTask(w.Context(), w.task(d, at(1))) })
		w.want(err, meta.ErrDuplicate)
		var dup *meta.DuplicateError
		if !errors.As(err, &dup) || dup.Field != field {
			w.Fatalf("%v does not name %s", err, field)
		}
	}
	sameCustom := w.draft("b")
	sameCustom.CustomID = "custom"
	both := func(when string) {
		w.Helper()
		w.Log(when)
		taken(meta.FieldName, w.draft("a"))
		taken(meta.FieldCustomID, sameCustom)
	}
	both("while the task is in progress")
	w.finish(task, audience.Success)
	both("while there is the audience")
	w.finish(w.submit(w.draft("b"), at(2)), audience.Failed) // a refused task reserved nothing
	w.finish(w.submit(w.draft("A"), at(2)), audience.Failed) // names mind case
	w.finish(w.submit(w.draft("custom"), at(2)), audience.Failed)

	w.update(func(tx meta.Tx) error { return tx.DeleteAudience(w.Context(), w.scope, task.AudienceID) })
	again := w.submit(draft, at(3)) // a deleted audience's names are free
	w.finish(again, audience.Failed)
	w.submit(draft, at(4)) // so are a failed task's
}

func testTaskFinish(w *world) {
	task := w.submit(w.draft("a"), at(0))
	w.refusedAny(func(tx meta.Tx) error { return tx.FinishTask(w.Context(), task) }) // still PROCESSING
	task.Status, task.UpdatedAt = audience.Success, at(5)
	task.Draft.Description = "as normalised"
	w.update(func(tx meta.Tx) error { return tx.FinishTask(w.Context(), task) })
	got, err := w.s.Task(w.Context(), w.scope, task.ID)
	w.must(err)
	equal(w, "finished task", got, task)

	want := task.Draft
	want.ID, want.TaskID, want.State = task.AudienceID, task.ID, audience.StatePublished
	a, err := w.s.Audience(w.Context(), w.scope, task.AudienceID)
	w.must(err)
	want.Num = a.Num
	equal(w, "audience", a, want)
	if a.Num == 0 {
		w.Fatal("an audience has no number")
	}
	w.refused(meta.ErrStale, func(tx meta.Tx) error { return tx.FinishTask(w.Context(), task) })

	failed := w.submit(w.draft("b"), at(0))
	failed.Status = audience.Failed
	failed.Error = audience.InvalidField("sourceSpec.path", "there is no such file")
	w.update(func(tx meta.Tx) error { return tx.FinishTask(w.Context(), failed) })
	got, err = w.s.Task(w.Context(), w.scope, failed.ID)
	w.must(err)
	equal(w, "failed task", got, failed)
	_, err = w.s.Audience(w.Context(), w.scope, failed.AudienceID)
	w.want(err, meta.ErrNotFound)
	w.refused(meta.ErrStale, func(tx meta.Tx) error {
		return tx.FinishTask(w.Context(), audience.Task{ID: "no", Status: audience.Failed})
	})
}

// refusedAny wants an error of whatever kind.
func (w *world) refusedAny(fn func(tx meta.Tx) error) {
	w.Helper()
	if err := w.s.Update(w.Context(), fn); err == nil {
		w.Fatal("it was accepted")
	}
}

// leases checks the rules of leases, which tasks and runs share.
func (w *world) leases(acquire func(worker string, now, until time.Time) error, end func()) {
	w.Helper()
	w.must(acquire("one", at(0), at(10)))
	w.want(acquire("two", at(9), at(20)), meta.ErrLeaseHeld)
	w.must(acquire("one", at(9), at(20))) // renews its own
	w.want(acquire("two", at(19), at(30)), meta.ErrLeaseHeld)
	w.must(acquire("two", at(20), at(30))) // takes over
	w.want(acquire("one", at(21), at(40)), meta.ErrLeaseHeld)
	w.must(acquire("two", at(31), at(40))) // its own, after the end
	end()
	w.want(acquire("two", at(32), at(50)), meta.ErrStale)
	w.want(acquire("one", at(99), at(150)), meta.ErrStale)
}

func testTaskLease(w *world) {
	task := w.submit(w.draft("a"), at(0))
	acquire := func(id audience.TaskID) func(string, time.Time, time.Time) error {
		return func(worker string, now, until time.Time) error {
			return w.s.Update(w.Context(), func(tx meta.Tx) error {
				got, err := tx.AcquireTask(w.Context(), id, worker, now, until)
				if err == nil {
					equal(w, "acquired task", got, task)
				}
				return err
			})
		}
	}
	w.leases(acquire(task.ID), func() { w.finish(task, audience.Failed) })
	w.want(acquire("no")("one", at(0), at(1)), meta.ErrNotFound)
}

func testUnfinished(w *world) {
	w.tenant()
	later, first := w.submit(w.draft("b"), at(2)), w.submit(w.draft("a"), at(1))
	a := w.audience("c")
	run := w.start(a, at(3), func(r *audience.Run) { r.Planned = []audience.PlannedFile{{Path: "f"}} })
	w.end(w.start(w.audience("d"), at(3)), audience.Failed)
	unfinished := func(now int) ([]audience.Task, []audience.Run) {
		tasks, runs, err := w.s.Unfinished(w.Context(), at(now))
		w.must(err)
		return tasks, runs
	}
	run.Planned = nil
	tasks, runs := unfinished(5)
	equal(w, "tasks", tasks, []audience.Task{first, later})
	equal(w, "runs", runs, []audience.Run{run})

	one, err := w.s.UnfinishedTask(w.Context(), first.ID)
	w.must(err)
	equal(w, "a task", one, first)
	of, err := w.s.UnfinishedRun(w.Context(), run.ID)
	w.must(err)
	equal(w, "a run", of, run)
	w.inSandbox(w.scope, 2, 1)
	w.inSandbox(audience.Scope{Org: w.scope.Org, Sandbox: "another"}, 0, 0)

	w.update(func(tx meta.Tx) error {
		_, err := tx.AcquireTask(w.Context(), first.ID, "one", at(0), at(50))
		return err
	})
	w.acquire(run, "one") // until 60
	w.inSandbox(w.scope, 2, 1)
	tasks, runs = unfinished(49)
	equal(w, "tasks without a lease", tasks, []audience.Task{later})
	equal(w, "runs without a lease", len(runs), 0)
	tasks, runs = unfinished(60)
	equal(w, "tasks whose lease ended", tasks, []audience.Task{first, later})
	equal(w, "runs whose lease ended", runs, []audience.Run{run})

	w.finish(first, audience.Failed)
	w.finish(later, audience.Success)
	w.update(func(tx meta.Tx) error { return tx.DeleteAudience(w.Context(), w.scope, a.ID) })
	tasks, runs = unfinished(99)
	equal(w, "work that ended", len(tasks)+len(runs), 0)
	w.inSandbox(w.scope, 0, 0)
	_, err = w.s.UnfinishedTask(w.Context(), first.ID)
	w.want(err, meta.ErrNotFound)
	_, err = w.s.UnfinishedRun(w.Context(), run.ID)
	w.want(err, meta.ErrNotFound)
}

// inSandbox requires so many unfinished tasks and runs of a sandbox.
func (w *world) inSandbox(scope audience.Scope, tasks, runs int) {
	w.Helper()
	t, r, err := w.s.UnfinishedIn(w.Context(), scope)
	w.must(err)
	equal(w, "tasks and runs of "+scope.Sandbox, []int{t, r}, []int{tasks, runs})
}

// testCommitted calls what waits for the end of a transaction when it is there for others to see, and never after a rollback.
func testCommitted(w *world) {
	w.tenant()
	called, boom := 0, errors.New("boom")
	task := w.task(w.draft("a"), at(0))
	err := w.s.Update(w.Context(), func(tx meta.Tx) error {
		tx.Committed(func() { called++ })
		return boom
	})
	w.want(err, boom)
	equal(w, "calls after a rollback", called, 0)
	w.update(func(tx meta.Tx) error {
		tx.Committed(func() {
			called++
			_, err := w.s.UnfinishedTask(w.Context(), task.ID)
			w.must(err)
		})
		return tx.CreateTask(w.Context(), task)
	})
	equal(w, "calls after a commit", called, 1)
}

func testDropLeases(w *world) {
	w.tenant()
	task := w.submit(w.draft("a"), at(0))
	run := w.start(w.audience("b"), at(0))
	w.update(func(tx meta.Tx) error {
		_, err := tx.AcquireTask(w.Context(), task.ID, "dead", at(0), at(1000))
		return err
	})
	run = w.acquire(run, "dead")
	w.update(func(tx meta.Tx) error { return tx.EndLeases(w.Context()) })
	tasks, runs, err := w.s.Unfinished(w.Context(), at(0))
	w.must(err)
	equal(w, "unfinished", []int{len(tasks), len(runs)}, []int{1, 1})
	w.refused(meta.ErrStale, func(tx meta.Tx) error { return tx.SaveRun(w.Context(), run, "dead") })
	w.acquire(run, "alive")
}

// testResetFutureTimes has a worker that died while the clock was a year ahead, and one that lives.
func testResetFutureTimes(w *world) {
	w.tenant()
	const year = 365 * 24 * 3600
	dead := w.start(w.audience("a"), at(0))
	living := w.start(w.audience("b"), at(0))
	w.update(func(tx meta.Tx) error {
		_, err := tx.AcquireRun(w.Context(), dead.ID, "dead", at(year), at(year+30))
		return err
	})
	w.update(func(tx meta.Tx) error {
		_, err := tx.AcquireRun(w.Context(), living.ID, "living", at(year), at(year+30))
		return err
	})
	w.update(func(tx meta.Tx) error { return tx.ResetFutureTimes(w.Context(), at(10)) })
	w.refused(meta.ErrLeaseHeld, func(tx meta.Tx) error {
		_, err := tx.AcquireRun(w.Context(), living.ID, "other", at(11), at(41))
		return err
	})
	w.update(func(tx meta.Tx) error {
		_, err := tx.AcquireRun(w.Context(), living.ID, "living", at(60), at(90))
		return err
	})
	_, runs, err := w.s.Unfinished(w.Context(), at(75))
	w.must(err)
	if len(runs) != 1 || runs[0].ID != dead.ID {
		w.Errorf("unfinished are %v", runs)
	}
}
