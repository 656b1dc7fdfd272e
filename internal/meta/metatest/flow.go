package metatest

import (
	"slices"

	"roster/internal/audience"
	"roster/internal/meta"
)

func testAudienceByFlow(w *world) {
	_, err := w.s.AudienceByFlow(w.Context(), w.scope, "no")
	w.want(err, meta.ErrNotFound)
	a := w.audience("a")
	w.audience("b")
	got, err := w.s.AudienceByFlow(w.Context(), w.scope, audience.FlowID(a.ID))
	w.must(err)
	equal(w, "audience", got, a)
	_, err = w.s.AudienceByFlow(w.Context(), audience.Scope{Org: w.scope.Org, Sandbox: "dev"}, audience.FlowID(a.ID))
	w.want(err, meta.ErrNotFound)
	w.update(func(tx meta.Tx) error { return tx.DeleteAudience(w.Context(), w.scope, a.ID) })
	_, err = w.s.AudienceByFlow(w.Context(), w.scope, audience.FlowID(a.ID))
	w.want(err, meta.ErrNotFound)
}

func testRunByFlow(w *world) {
	_, err := w.s.RunByFlow(w.Context(), w.scope, "no")
	w.want(err, meta.ErrNotFound)
	a := w.audience("a")
	first := w.end(w.start(a, at(1)), audience.Failed)
	second := w.start(a, at(2), func(r *audience.Run) { r.Planned = []audience.PlannedFile{{Path: "f"}} })
	w.start(w.audience("b"), at(3))
	for flow, want := range map[string]audience.Run{
		first.Stages[0].FlowRunID: first, first.Stages[1].FlowRunID: first, second.Stages[1].FlowRunID: second, first.FlowID: second,
	} {
		got, err := w.s.RunByFlow(w.Context(), w.scope, flow)
		w.must(err)
		equal(w, "run", got, want)
	}
}

func testFlowRuns(w *world) {
	b, plain := w.audience("b"), w.draft("a")
	plain.Labels = nil
	task := w.submit(plain, at(0))
	w.finish(task, audience.Success)
	a, err := w.s.Audience(w.Context(), w.scope, task.AudienceID)
	w.must(err)
	var all []audience.Run // newest first
	add := func(aud audience.Audience, n int, s audience.Status) {
		r := w.end(w.start(aud, at(n), func(r *audience.Run) { r.Planned = []audience.PlannedFile{{Path: "f"}} }), s)
		r.Planned = nil
		all = append([]audience.Run{r}, all...)
	}
	for i := range 3 {
		add(a, i, audience.Success)
		add(b, i, audience.Failed)
	}
	list := func(q audience.FlowRunQuery) []audience.Run {
		w.Helper()
		runs, err := w.s.FlowRuns(w.Context(), w.scope, q)
		w.must(err)
		return runs
	}
	of := func(keep func(r audience.Run) bool) (some []audience.Run) {
		for _, r := range all {
			if keep(r) {
				some = append(some, r)
			}
		}
		return some
	}
	whole := list(audience.FlowRunQuery{Limit: 10})
	equal(w, "how many", len(whole), 6)
	for i, r := range whole {
		equal(w, "from a place", list(audience.FlowRunQuery{Limit: 2, From: &audience.Position{At: r.CreatedAt, Seq: r.Seq, ID: string(r.ID)}}), whole[i:min(i+2, 6)])
	}
	equal(w, "an audience", list(audience.FlowRunQuery{Limit: 10, Audience: a.ID}), of(func(r audience.Run) bool { return r.AudienceID == a.ID }))
	equal(w, "a status", list(audience.FlowRunQuery{Limit: 10, Statuses: []audience.Status{audience.Failed}}), of(func(r audience.Run) bool { return r.Status == audience.Failed }))
	equal(w, "no labels", list(audience.FlowRunQuery{Limit: 10, SeenBy: &audience.Grants{}}), of(func(r audience.Run) bool { return r.AudienceID == a.ID }))
	equal(w, "a limit of nothing", len(list(audience.FlowRunQuery{})), 0)
	elsewhere, err := w.s.FlowRuns(w.Context(), audience.Scope{Org: w.scope.Org, Sandbox: "dev"}, audience.FlowRunQuery{Limit: 10})
	w.must(err)
	equal(w, "another sandbox", len(elsewhere), 0)
	w.update(func(tx meta.Tx) error { return tx.DeleteAudience(w.Context(), w.scope, a.ID) })
	equal(w, "a deleted audience", len(list(audience.FlowRunQuery{Limit: 10, Audience: a.ID})), 0)
}

func testNewestRuns(w *world) {
	a, b, c := w.audience("a"), w.audience("b"), w.audience("c")
	w.end(w.start(a, at(1)), audience.Success)
	second, other := w.start(a, at(2)), w.start(b, at(3))
	found := func(scope audience.Scope, ids ...audience.ID) []audience.Run {
		w.Helper()
		runs, err := w.s.NewestRuns(w.Context(), scope, ids)
		w.must(err)
		slices.SortFunc(runs, func(a, b audience.Run) int { return a.CreatedAt.Compare(b.CreatedAt) })
		return runs
	}
	equal(w, "of nothing", len(found(w.scope)), 0)
	equal(w, "one with a run before", found(w.scope, a.ID), []audience.Run{second})
	equal(w, "all", found(w.scope, a.ID, b.ID, c.ID), []audience.Run{second, other})
	equal(w, "another sandbox", len(found(audience.Scope{Org: w.scope.Org, Sandbox: "dev"}, a.ID)), 0)
}
