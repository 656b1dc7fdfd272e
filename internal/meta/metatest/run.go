package metatest

import (
	"errors"
	"sync"
	"time"

	"roster/internal/audience"
	"roster/internal/meta"
)

func testRuns(w *world) {
	a, b := w.audience("a"), w.audience("b")
	_, err := w.s.Run(w.Context(), w.scope, a.ID, "no")
	w.want(err, meta.ErrNotFound)

	r := w.start(a, at(1), func(r *audience.Run) {
		r.Request = audience.RunRequest{WindowStart: at(-5), WindowEnd: at(1), Reason: "again"}
	})
	equal(w, "what the store sets", []any{r.Seq, r.AudienceName}, []any{int64(1), "a"})
	equal(w, "run", w.run(r), r)
	_, err = w.s.Run(w.Context(), w.scope, b.ID, r.ID) // another audience's
	w.want(err, meta.ErrNotFound)
	found, err := w.s.RunBySeq(w.Context(), w.scope, a.ID, 1)
	w.want(err, nil)
	equal(w, "the first run by its number", found, r)
	_, err = w.s.RunBySeq(w.Context(), w.scope, a.ID, 2)
	w.want(err, meta.ErrNotFound)
	_, err = w.s.RunBySeq(w.Context(), w.scope, b.ID, 1)
	w.want(err, meta.ErrNotFound)
	_, err = w.s.RunBySeq(w.Context(), audience.Scope{Org: w.scope.Org, Sandbox: "no"}, a.ID, 1)
	w.want(err, meta.ErrNotFound)

	w.end(r, audience.Failed)
	equal(w, "number of the second run", w.start(a, at(2)).Seq, 2)
	equal(w, "number of the other's run", w.start(b, at(2)).Seq, 1)

	orphan := w.newRun(audience.Audience{ID: "no"}, at(3))
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error { return tx.CreateRun(w.Context(), &orphan) })
}

func testRunOneAtATime(w *world) {
	a := w.audience("a")
	first := w.start(a, at(1))
	second := w.newRun(a, at(2))
	w.refused(meta.ErrRunInProgress, func(tx meta.Tx) error { return tx.CreateRun(w.Context(), &second) })
	w.end(first, audience.Success)
	same := w.newRun(a, at(2))
	same.ID = first.ID
	w.refused(meta.ErrDuplicate, func(tx meta.Tx) error { return tx.CreateRun(w.Context(), &same) })
	w.update(func(tx meta.Tx) error { return tx.CreateRun(w.Context(), &second) })
	equal(w, "a refused run takes no number", second.Seq, 2)
}

func testRunConcurrentCreation(w *world) {
	a := w.audience("a")
	const clients = 8
	var mu sync.Mutex
	var created, refused int
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			r := w.newRun(a, at(1))
			err := w.s.Update(w.Context(), func(tx meta.Tx) error { return tx.CreateRun(w.Context(), &r) })
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				created++
			case errors.Is(err, meta.ErrRunInProgress):
				refused++
			default:
				w.Errorf("create a run: %v", err)
			}
		})
	}
	wg.Wait()
	equal(w, "created and refused", []int{created, refused}, []int{1, clients - 1})
}

func testRunLease(w *world) {
	run := w.start(w.audience("a"), at(0), func(r *audience.Run) { r.Planned = []audience.PlannedFile{{Path: "f", ModifiedAt: at(-1)}} })
	acquire := func(id audience.RunID) func(string, time.Time, time.Time) error {
		return func(worker string, now, until time.Time) error {
			return w.s.Update(w.Context(), func(tx meta.Tx) error {
				got, err := tx.AcquireRun(w.Context(), id, worker, now, until)
				if err == nil {
					equal(w, "acquired run", got, run)
				}
				return err
			})
		}
	}
	w.leases(acquire(run.ID), func() {
		run.Status = audience.Failed
		w.update(func(tx meta.Tx) error { return tx.FinishRun(w.Context(), run, "two") })
	})
	w.want(acquire("no")("one", at(0), at(1)), meta.ErrNotFound)
	run = w.start(w.audience("b"), at(0))
	w.leases(func(worker string, now, until time.Time) error {
		return w.s.Update(w.Context(), func(tx meta.Tx) error { return tx.RenewRun(w.Context(), run.ID, worker, now, until) })
	}, func() {
		run.Status = audience.Failed
		w.update(func(tx meta.Tx) error { return tx.FinishRun(w.Context(), run, "two") })
	})
}

func testRunSave(w *world) {
	run := w.start(w.audience("a"), at(0))
	w.refused(meta.ErrStale, func(tx meta.Tx) error { return tx.SaveRun(w.Context(), run, "one") }) // no lease
	run = w.acquire(run, "one")

	save := func() {
		w.Helper()
		w.update(func(tx meta.Tx) error { return tx.SaveRun(w.Context(), run, "one") })
		equal(w, "saved run", w.run(run), run)
	}
	run.Progress = audience.Progress{Step: "read", BytesDone: 1, BytesTotal: 2, Rows: 3}
	save()
	run.Planned = []audience.PlannedFile{}
	save() // a manifest without files is a manifest
	run.Planned = []audience.PlannedFile{{Path: "f", Size: 4, ModifiedAt: at(-1), Version: "v", Status: audience.FileRead}}
	run.Stages[0].Status, run.Stages[0].StartedAt, run.Stages[0].Metrics.Seconds = audience.Success, at(1), map[string]float64{"read": 0.5}
	run.Stages[1].Error = audience.Errorf(audience.BadGateway, "the store is down")
	run.UpdatedAt = at(7)
	save()
	save() // the same again

	without := run
	without.Planned = nil
	w.update(func(tx meta.Tx) error { return tx.SaveRun(w.Context(), without, "one") })
	equal(w, "a save without the manifest keeps it", w.run(run), run)

	w.refused(meta.ErrStale, func(tx meta.Tx) error { return tx.SaveRun(w.Context(), run, "two") })
	w.update(func(tx meta.Tx) error { // the lease ends, somebody takes over
		_, err := tx.AcquireRun(w.Context(), run.ID, "two", at(100), at(200))
		return err
	})
	w.refused(meta.ErrStale, func(tx meta.Tx) error { return tx.SaveRun(w.Context(), run, "one") })
	run.ID = "no"
	w.refused(meta.ErrStale, func(tx meta.Tx) error { return tx.SaveRun(w.Context(), run, "two") })
}

func testRunProgress(w *world) {
	a := w.audience("a")
	run := w.start(a, at(0))
	progress := audience.Progress{Step: "read", BytesDone: 1 << 40, BytesTotal: 1 << 41, Rows: 3}
	save := func(worker string, id audience.RunID) error {
		return w.s.SaveProgress(w.Context(), id, worker, progress, at(5))
	}
	w.want(save("one", run.ID), meta.ErrStale) // no lease
	run = w.acquire(run, "one")
	w.want(save("two", run.ID), meta.ErrStale)
	w.want(save("one", "no"), meta.ErrStale)
	equal(w, "run without progress", w.run(run), run)
	for range 2 {
		w.want(save("one", run.ID), nil)
		run.Progress, run.UpdatedAt = progress, at(5)
		equal(w, "run", w.run(run), run)
		list, _, err := w.s.Runs(w.Context(), w.scope, a.ID, audience.RunQuery{Limit: 1})
		w.must(err)
		equal(w, "list", list, []audience.Run{run})
		progress.Step, progress.BytesDone = "merge", 2
	}
	w.update(func(tx meta.Tx) error { return tx.RenewRun(w.Context(), run.ID, "one", at(50), at(90)) })
	w.want(save("one", run.ID), nil)
	run.Progress = progress
	equal(w, "whoever takes the run over finds its progress", w.acquireAt(run, "two", at(100)).Progress, progress)
	w.want(save("one", run.ID), meta.ErrStale)

	run.Status, run.EndedAt, run.UpdatedAt = audience.Failed, at(101), at(101)
	w.update(func(tx meta.Tx) error { return tx.FinishRun(w.Context(), run, "two") })
	run.Progress = audience.Progress{}
	equal(w, "an ended run has no progress", w.run(run), run)
	w.want(save("two", run.ID), meta.ErrStale)

	gone := w.acquire(w.start(a, at(102)), "one")
	w.want(save("one", gone.ID), nil)
	w.update(func(tx meta.Tx) error { return tx.DeleteAudience(w.Context(), w.scope, a.ID) })
	w.want(save("one", gone.ID), meta.ErrStale)
}

// testRunProgressBesideTransactions saves the progress of a run inside transactions that read and change it.
func testRunProgressBesideTransactions(w *world) {
	run := w.acquire(w.start(w.audience("a"), at(0)), "one")
	const rounds = 50
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := range rounds {
			if err := w.s.SaveProgress(w.Context(), run.ID, "one", audience.Progress{Step: "read", Rows: int64(n)}, at(n)); err != nil {
				w.Errorf("save the progress: %v", err)
			}
		}
	})
	tries := 0
	for range rounds {
		w.update(func(tx meta.Tx) error {
			tries++
			if _, err := tx.Run(w.Context(), w.scope, run.AudienceID, run.ID); err != nil {
				return err
			}
			return tx.RenewRun(w.Context(), run.ID, "one", at(0), at(60))
		})
	}
	wg.Wait()
	equal(w, "transactions that were run", tries, rounds)
}

func testRunFinish(w *world) {
	a := w.audience("a")
	finishAs := func(req audience.RunRequest, created int, members int64) audience.Run {
		w.Helper()
		r := w.start(a, at(created), func(r *audience.Run) { r.Request = req })
		r = w.acquire(r, "one")
		r.Status, r.EndedAt, r.UpdatedAt, r.Result.Members.After = audience.Success, at(created+1), at(created+1), members
		r.Result.RefreshedAt = at(2)
		w.refused(meta.ErrStale, func(tx meta.Tx) error { return tx.FinishRun(w.Context(), r, "two") })
		w.update(func(tx meta.Tx) error { return tx.FinishRun(w.Context(), r, "one") })
		equal(w, "finished run", w.run(r), r)
		return r
	}
	finish := func(differential bool, created int, members int64) audience.Run {
		w.Helper()
		return finishAs(audience.RunRequest{Differential: differential}, created, members)
	}
	check := func(r audience.Run, refreshed time.Time) {
		w.Helper()
		a.LastRun, a.Members, a.LastIngestedAt, a.RefreshedAt = r.ID, r.Result.Members.After, r.CreatedAt, refreshed
		got, err := w.s.Audience(w.Context(), w.scope, a.ID)
		w.must(err)
		equal(w, "audience", got, a)
	}
	check(finish(true, 10, 5), time.Time{})
	check(finish(false, 20, 6), at(20))
	last := finish(true, 30, 7)
	check(last, at(20))
	finishAs(audience.RunRequest{DryRun: true}, 31, 99) // leaves no trace
	check(last, at(20))
	finishAs(audience.RunRequest{Kind: audience.RunExpire, Differential: true}, 32, 4) // counts, and brings nobody
	last.Result.Members.After = 4
	check(last, at(20))
	finishAs(audience.RunRequest{Kind: audience.RunExtend, Differential: true}, 33, 3) // extends, and brings nobody
	last.Result.Members.After = 3
	check(last, at(2))
	check(finish(false, 34, 6), at(34))
	check(finishAs(audience.RunRequest{Kind: audience.RunRollback}, 35, 8), at(2))

	r := w.acquire(w.start(a, at(40)), "one")
	w.refusedAny(func(tx meta.Tx) error { return tx.FinishRun(w.Context(), r, "one") }) // still PROCESSING
	r.Status = audience.Failed
	w.update(func(tx meta.Tx) error { return tx.FinishRun(w.Context(), r, "one") })
	w.refused(meta.ErrStale, func(tx meta.Tx) error { return tx.FinishRun(w.Context(), r, "one") }) // twice
}

// testRunInsert records a run that ended before a run in progress.
func testRunInsert(w *world) {
	a := w.audience("a")
	run := w.acquire(w.start(a, at(1)), "one")
	adopted := run
	adopted.ID, adopted.CreatedAt, adopted.EndedAt, adopted.UpdatedAt = "adopted", at(1), at(2), at(2)
	adopted.Request = audience.RunRequest{Kind: audience.RunAdopt, Differential: true}
	adopted.Stages = []audience.StageResult{{Stage: audience.StageDataset, Status: audience.Success, FlowRunID: "flow-of-adopted"}}
	adopted.Result.Members.After, adopted.Result.RefreshedAt = 5, at(0)
	adopted.Result.Files = []audience.FileResult{fileResult("f", "v", audience.FileRead)}
	insert := func(worker string, to *int64) func(tx meta.Tx) error {
		return func(tx meta.Tx) (err error) {
			*to, err = tx.InsertRun(w.Context(), adopted, run.ID, worker)
			return err
		}
	}
	var seq int64
	w.refusedAny(insert("one", &seq)) // still PROCESSING
	adopted.Status = audience.Success
	w.refused(meta.ErrStale, insert("two", &seq))
	w.update(insert("one", &seq))
	equal(w, "adopted run", w.run(adopted), adopted)
	if seq != run.Seq+1 {
		w.Errorf("the run in progress has number %d, not %d", seq, run.Seq+1)
	}
	run.Seq = seq
	equal(w, "run in progress", w.run(run), run)
	read, err := w.s.ReadObjects(w.Context(), a.ID, []audience.PlannedFile{adopted.Result.Files[0].PlannedFile})
	w.must(err)
	equal(w, "files of the dataset are no objects that were read", len(read), 0)
	a.LastRun, a.Members, a.LastIngestedAt, a.RefreshedAt = adopted.ID, 5, adopted.CreatedAt, at(0)
	got, err := w.s.Audience(w.Context(), w.scope, a.ID)
	w.must(err)
	equal(w, "audience", got, a)

	run.Status = audience.Success
	w.update(func(tx meta.Tx) error { return tx.FinishRun(w.Context(), run, "one") })
	if next := w.start(a, at(3)); next.Seq != seq+1 {
		w.Errorf("the next run has number %d, not %d", next.Seq, seq+1)
	}
}

func testRunFinishFailed(w *world) {
	a := w.audience("a")
	r := w.acquire(w.start(a, at(1)), "one")
	r.Status, r.EndedAt, r.Error = audience.Failed, at(2), audience.Errorf(audience.Impossible, "too many rejects")
	r.Result.Members.After = 99
	r.Result.Files = []audience.FileResult{fileResult("f", "v", audience.FileRead)}
	w.update(func(tx meta.Tx) error { return tx.FinishRun(w.Context(), r, "one") })
	equal(w, "failed run", w.run(r), r)
	got, err := w.s.Audience(w.Context(), w.scope, a.ID)
	w.must(err)
	equal(w, "audience", got, a)
	read, err := w.s.ReadObjects(w.Context(), a.ID, []audience.PlannedFile{r.Result.Files[0].PlannedFile})
	w.must(err)
	equal(w, "objects read", len(read), 0)
}
