package metatest

import (
	"errors"
	"fmt"
	"sync"

	"roster/internal/audience"
	"roster/internal/meta"
)

func testRollback(w *world) {
	w.tenant()
	a := w.audience("a")
	boom := errors.New("boom")
	task := w.task(w.draft("b"), at(1))
	run := w.newRun(a, at(1))
	w.refused(boom, func(tx meta.Tx) error {
		if err := tx.CreateTask(w.Context(), task); err != nil {
			return err
		}
		if _, err := tx.Task(w.Context(), w.scope, task.ID); err != nil { // it sees its own writes
			return err
		}
		if err := tx.CreateRun(w.Context(), &run); err != nil {
			return err
		}
		if _, total, err := tx.Runs(w.Context(), w.scope, a.ID, audience.RunQuery{Limit: 1}); err != nil || total != 1 {
			return fmt.Errorf("the transaction sees %d runs: %w", total, err)
		}
		if _, err := tx.SQL().ExecContext(w.Context(), `INSERT INTO organizations (id) VALUES ('sql')`); err != nil {
			return err
		}
		if err := tx.DeleteAudience(w.Context(), w.scope, a.ID); err != nil {
			return err
		}
		return boom
	})
	_, err := w.s.Task(w.Context(), w.scope, task.ID)
	w.want(err, meta.ErrNotFound)
	got, err := w.s.Audience(w.Context(), w.scope, a.ID)
	w.must(err)
	equal(w, "audience", got, a)
	orgs, err := w.s.Organizations(w.Context())
	w.must(err)
	equal(w, "organizations", orgs, []string{w.scope.Org})
	w.submit(w.draft("b"), at(2))
	equal(w, "number of the first run that was kept", w.start(a, at(2)).Seq, 1)

	func() { // a panic is a rollback, too, and keeps no lock
		defer func() { _ = recover() }()
		_ = w.s.Update(w.Context(), func(tx meta.Tx) error {
			_ = tx.CreateOrganization(w.Context(), "panic")
			panic("boom")
		})
	}()
	w.update(func(tx meta.Tx) error { return tx.CreateOrganization(w.Context(), "panic") })
}

func testDuplicateKeepsTx(w *world) {
	w.tenant()
	a := w.audience("a")
	w.start(a, at(1))
	w.update(func(tx meta.Tx) error {
		w.want(tx.CreateOrganization(w.Context(), w.scope.Org), meta.ErrDuplicate)
		w.want(tx.CreateTask(w.Context(), w.task(w.draft("a"), at(1))), meta.ErrDuplicate)
		second := w.newRun(a, at(2))
		w.want(tx.CreateRun(w.Context(), &second), meta.ErrRunInProgress)
		return tx.CreateOrganization(w.Context(), "new")
	})
	orgs, err := w.s.Organizations(w.Context())
	w.must(err)
	equal(w, "organizations", orgs, []string{"new", w.scope.Org})
}

// testConcurrentUpdates lets transactions read, decide and write at once: none may be lost or fail.
func testConcurrentUpdates(w *world) {
	const workers, rounds = 6, 5
	a := w.audience("a")
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for j := range rounds {
				err := w.s.Update(w.Context(), func(tx meta.Tx) error {
					got, err := tx.Audience(w.Context(), w.scope, a.ID)
					if err != nil {
						return err
					}
					got.TTLDays++
					if err := tx.UpdateAudience(w.Context(), got); err != nil {
						return err
					}
					t := w.task(w.draft(fmt.Sprint(i, "-", j)), at(j))
					if err := tx.CreateTask(w.Context(), t); err != nil {
						return err
					}
					t.Status = audience.Success
					return tx.FinishTask(w.Context(), t)
				})
				if err != nil {
					w.Errorf("update: %v", err)
				}
				if _, _, err := w.s.Audiences(w.Context(), w.scope, audience.AudienceQuery{Limit: 10}); err != nil {
					w.Errorf("list: %v", err)
				}
			}
		})
	}
	wg.Wait()
	got, err := w.s.Audience(w.Context(), w.scope, a.ID)
	w.must(err)
	equal(w, "updates that took effect", got.TTLDays, a.TTLDays+workers*rounds)
	all, total, err := w.s.Audiences(w.Context(), w.scope, audience.AudienceQuery{Limit: 1000})
	w.must(err)
	equal(w, "audiences", total, 1+workers*rounds)
	nums := map[uint32]bool{}
	for _, a := range all {
		nums[a.Num] = true
	}
	equal(w, "different numbers", len(nums), total)
}

// testTenancy looks at one tenant's things from the other sandbox and from the other organization.
func testTenancy(w *world) {
	w.tenant()
	c := w.connection("c", 0)
	draft := w.draft("a")
	draft.CustomID = "custom"
	draft.Source.BaseConnectionID = c.ID
	task := w.submit(draft, at(0))
	w.finish(task, audience.Success)
	a, err := w.s.Audience(w.Context(), w.scope, task.AudienceID)
	w.must(err)
	run := w.start(a, at(1))

	for _, scope := range []audience.Scope{{Org: w.scope.Org, Sandbox: "dev"}, {Org: "other", Sandbox: w.scope.Sandbox}} {
		other := &world{T: w.T, s: w.s, scope: scope}
		other.tenant()
		other.seesNothing(c, task, a, run)
		other.connection("c", 1) // names are free in every sandbox
		draft := draft
		draft.Scope = scope
		mine := other.submit(draft, at(2))
		other.finish(mine, audience.Success)
		all, total, err := other.s.Audiences(w.Context(), scope, audience.AudienceQuery{Limit: 10})
		w.must(err)
		if total != 1 || len(all) != 1 || all[0].ID != mine.AudienceID {
			w.Fatalf("%v lists %d audiences: %+v", scope, total, all)
		}
	}
	got, err := w.s.Audience(w.Context(), w.scope, a.ID)
	w.must(err)
	equal(w, "the audience after all that", got, a)
	equal(w, "the run after all that", w.run(run), run)
}

func (w *world) seesNothing(c audience.Connection, task audience.Task, a audience.Audience, run audience.Run) {
	w.Helper()
	absent := func(err error) { w.Helper(); w.want(err, meta.ErrNotFound) }
	ctx := w.Context()
	_, err := w.s.Connection(ctx, w.scope, c.ID)
	absent(err)
	_, err = w.s.Connections(ctx, w.scope, "", c.ID, 10)
	absent(err)
	list, err := w.s.Connections(ctx, w.scope, "", "", 10)
	w.must(err)
	equal(w, "connections", len(list), 0)
	_, err = w.s.Task(ctx, w.scope, task.ID)
	absent(err)
	_, err = w.s.Audience(ctx, w.scope, a.ID)
	absent(err)
	_, err = w.s.Run(ctx, w.scope, a.ID, run.ID)
	absent(err)
	_, _, err = w.s.Runs(ctx, w.scope, a.ID, audience.RunQuery{Limit: 10})
	absent(err)
	for _, flow := range []string{run.FlowID, run.Stages[0].FlowRunID} {
		_, err = w.s.RunByFlow(ctx, w.scope, flow)
		absent(err)
	}
	w.update(func(tx meta.Tx) error {
		used, err := tx.ConnectionInUse(ctx, w.scope, c.ID)
		equal(w, "the connection's use", used, false)
		return err
	})
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error { return tx.DeleteConnection(ctx, w.scope, c.ID) })
	foreign := a
	foreign.Scope = w.scope
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error { return tx.UpdateAudience(ctx, foreign) })
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error { return tx.DeleteAudience(ctx, w.scope, a.ID) })
	next := w.newRun(a, at(9))
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error { return tx.CreateRun(ctx, &next) })
}

func testClose(w *world) {
	w.must(w.s.Close())
	w.must(w.s.Close())
	if _, err := w.s.Organizations(w.Context()); err == nil || errors.Is(err, meta.ErrNotFound) {
		w.Fatalf("a closed store answers: %v", err)
	}
}
