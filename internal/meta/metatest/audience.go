package metatest

import (
	"fmt"
	"slices"
	"time"

	"roster/internal/audience"
	"roster/internal/meta"
)

func testAudiences(w *world) {
	_, err := w.s.Audience(w.Context(), w.scope, "no")
	w.want(err, meta.ErrNotFound)
	_, err = w.s.AudienceByNum(w.Context(), 1)
	w.want(err, meta.ErrNotFound)
	a, b := w.audience("a"), w.audience("b")
	if a.Num == b.Num {
		w.Fatal("numbers are not unique")
	}
	got, err := w.s.AudienceByNum(w.Context(), b.Num)
	w.must(err)
	equal(w, "audience by number", got, b)

	bare := w.submit(audience.Audience{Name: "bare"}, at(0))
	w.finish(bare, audience.Success)
	got, err = w.s.Audience(w.Context(), w.scope, bare.AudienceID)
	w.must(err)
	if !got.RefreshedAt.IsZero() || !got.LastIngestedAt.IsZero() || got.Fields != nil || got.ProfileIngestion {
		w.Fatalf("what was not set became %+v", got)
	}
}

func testAudienceUpdate(w *world) {
	a := w.audience("a")
	run := w.end(w.start(a, at(1)), audience.Success)

	want := a
	want.Name = "renamed"
	want.Description, want.Labels, want.TTLDays, want.UpdatedBy, want.UpdatedAt = "new", []string{"custom/x"}, 7, "other", at(9)
	want.Tags, want.State = []string{}, audience.StateInactive
	want.Schedule, want.NextRunAt, want.ScheduleTried = audience.Schedule{Cron: "0 3 * * *", TimeZone: "Europe/Berlin", Full: true}, at(100), "tried"
	want.ScheduleNote = "note"
	want.Guards, want.KeepRejectedRows, want.NoPayload = audience.Guards{MaxRejectedPercent: new(2.5), AllowMissingColumns: true}, true, true
	want.Fields = slices.Clone(a.Fields)
	want.Fields[0].Labels = nil
	want.Source.Path = "elsewhere"
	change := want
	change.CreatedBy = "not to be stored"
	w.update(func(tx meta.Tx) error { return tx.UpdateAudience(w.Context(), change) })
	got, err := w.s.Audience(w.Context(), w.scope, a.ID)
	w.must(err)
	want.LastRun, want.LastIngestedAt = run.ID, run.CreatedAt // an update does not take a run's news back
	equal(w, "updated audience", got, want)

	// Its former name is free, its new one is taken.
	free, taken := w.draft("a"), w.draft("renamed")
	w.finish(w.submit(free, at(10)), audience.Success)
	w.refused(meta.ErrDuplicate, func(tx meta.Tx) error { return tx.CreateTask(w.Context(), w.task(taken, at(10))) })
	back := change
	back.Name = "a"
	w.refused(meta.ErrDuplicate, func(tx meta.Tx) error { return tx.UpdateAudience(w.Context(), back) })
	names, _ := w.names(audience.AudienceQuery{NameContains: "RENAMED"})
	equal(w, "found by the new name", names, []string{"renamed"})

	change.ID = "no"
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error { return tx.UpdateAudience(w.Context(), change) })
}

func testAudienceDelete(w *world) {
	w.tenant()
	a, other := w.audience("a"), w.audience("b")
	done := w.end(w.start(a, at(1)), audience.Success)
	run := w.start(a, at(2), func(r *audience.Run) { r.FlowID = "the flow" })
	run = w.acquire(run, "one")
	w.update(func(tx meta.Tx) error { return tx.DeleteAudience(w.Context(), w.scope, a.ID) })

	_, err := w.s.Audience(w.Context(), w.scope, a.ID)
	w.want(err, meta.ErrNotFound)
	_, err = w.s.AudienceByNum(w.Context(), a.Num)
	w.want(err, meta.ErrNotFound)
	all, total, err := w.s.Audiences(w.Context(), w.scope, audience.AudienceQuery{Limit: 10})
	w.must(err)
	equal(w, "the list", all, []audience.Audience{other})
	equal(w, "the total", total, 1)
	_, err = w.s.Run(w.Context(), w.scope, a.ID, done.ID)
	w.want(err, meta.ErrNotFound)
	_, _, err = w.s.Runs(w.Context(), w.scope, a.ID, audience.RunQuery{Limit: 10})
	w.want(err, meta.ErrNotFound)
	for _, flow := range []string{"the flow", run.Stages[0].FlowRunID} {
		_, err = w.s.RunByFlow(w.Context(), w.scope, flow)
		w.want(err, meta.ErrNotFound)
	}

	// The worker of its run, still at work, is told.
	run.Status = audience.Success
	for what, fn := range map[string]func(tx meta.Tx) error{
		"save":    func(tx meta.Tx) error { return tx.SaveRun(w.Context(), run, "one") },
		"finish":  func(tx meta.Tx) error { return tx.FinishRun(w.Context(), run, "one") },
		"acquire": func(tx meta.Tx) error { _, err := tx.AcquireRun(w.Context(), run.ID, "one", at(3), at(9)); return err },
	} {
		w.Log(what)
		w.refused(meta.ErrStale, fn)
	}
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error { return tx.DeleteAudience(w.Context(), w.scope, a.ID) })
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error { return tx.UpdateAudience(w.Context(), a) })
	next := w.newRun(a, at(4))
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error { return tx.CreateRun(w.Context(), &next) })

	again := w.audience("a")
	if again.Num == a.Num || again.Num == other.Num {
		w.Fatal("a number was given twice")
	}
}

func testMaintenance(w *world) {
	a, b, c := w.audience("a"), w.audience("b"), w.audience("c")
	due := func(before time.Time, limit int, want ...audience.ID) {
		w.Helper()
		got, err := w.s.Unmaintained(w.Context(), before, limit)
		w.must(err)
		var ids []audience.ID
		for _, a := range got {
			ids = append(ids, a.ID)
		}
		equal(w, "audiences to maintain", ids, want)
	}
	due(at(100), 10) // none has had a run
	for _, a := range []audience.Audience{a, b, c} {
		w.end(w.start(a, at(1)), audience.Success)
	}
	due(at(0), 10, a.ID, b.ID, c.ID)
	due(at(0), 2, a.ID, b.ID)
	w.update(func(tx meta.Tx) error { return tx.MarkMaintained(w.Context(), a.ID, at(10)) })
	due(at(9), 10, b.ID, c.ID)
	due(at(10), 10, b.ID, c.ID, a.ID)
	got, err := w.s.Audience(w.Context(), w.scope, a.ID)
	w.must(err)
	equal(w, "maintained at", got.MaintainedAt, at(10))
	w.update(func(tx meta.Tx) error { return tx.DeleteAudience(w.Context(), w.scope, b.ID) })
	due(at(10), 10, c.ID, a.ID)
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error { return tx.MarkMaintained(w.Context(), b.ID, at(10)) })
}

func testSweep(w *world) {
	sandbox := w.tenant()
	a := w.audience("a")
	run := w.start(a, at(1), func(r *audience.Run) {
		r.Planned = []audience.PlannedFile{{Path: "f", Version: "1", Status: audience.FileRead}}
		r.Result.Files = []audience.FileResult{fileResult("f", "1", audience.FileRead)}
	})
	w.end(run, audience.Success)
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error { return tx.MarkCleanedUp(w.Context(), a.ID) })
	w.update(func(tx meta.Tx) error { return tx.DeleteAudience(w.Context(), w.scope, a.ID) })

	got, err := w.s.AwaitingCleanup(w.Context())
	w.must(err)
	equal(w, "unswept", got, []meta.DeletedAudience{{ID: a.ID, Num: a.Num, SandboxNum: sandbox.Num, Scope: w.scope}})
	for range 2 { // a cleanup may run twice
		w.update(func(tx meta.Tx) error { return tx.MarkCleanedUp(w.Context(), a.ID) })
		got, err = w.s.AwaitingCleanup(w.Context())
		w.must(err)
		equal(w, "not cleaned up after the cleanup", got, nil)
	}
	w.refused(meta.ErrStale, func(tx meta.Tx) error { return tx.SaveRun(w.Context(), run, "ender") })
	if b := w.audience("a"); b.Num == a.Num {
		w.Fatal("a number was given twice")
	}
}

func testSchedules(w *world) {
	w.tenant()
	var nums []uint32
	for i, name := range []string{"late", "soon", "never", "gone"} {
		d := w.draft(name)
		if name != "never" {
			d.NextRunAt = at(20 - 5*i)
		}
		t := w.submit(d, at(i))
		w.finish(t, audience.Success)
		a, err := w.s.Audience(w.Context(), w.scope, t.AudienceID)
		w.must(err)
		equal(w, "next run of "+name, a.NextRunAt, d.NextRunAt)
		nums = append(nums, a.Num)
		if name == "gone" {
			w.update(func(tx meta.Tx) error { return tx.DeleteAudience(w.Context(), w.scope, a.ID) })
		}
		if name == "soon" {
			w.update(func(tx meta.Tx) error { return tx.MarkScheduled(w.Context(), a.ID, at(10), "files", "nothing there") })
			a, err = w.s.Audience(w.Context(), w.scope, a.ID)
			w.must(err)
			equal(w, "what was tried", a.ScheduleTried, "files")
			equal(w, "what is said of it", a.ScheduleNote, "nothing there")
			equal(w, "next run", a.NextRunAt, at(10))
		}
	}
	for now, want := range map[int][]uint32{9: nil, 10: {nums[1]}, 25: {nums[1], nums[0]}} {
		got, err := w.s.Scheduled(w.Context(), at(now), 10)
		w.must(err)
		equal(w, fmt.Sprintf("due at %d", now), got, want)
	}
	got, err := w.s.Scheduled(w.Context(), at(25), 1)
	w.must(err)
	equal(w, "the first one", got, nums[1:2])
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error { return tx.MarkScheduled(w.Context(), "no", at(1), "", "") })
}
