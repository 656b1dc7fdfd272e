package metatest

import (
	"roster/internal/audience"
	"roster/internal/meta"
)

func testAudienceByFlow(w *world) {
	_, err := w.s.AudienceByFlow(w.Context(), w.scope, "no")
	w.want(err, meta.ErrNotFound)
	a := w.audience("a")
	w.audience("b")
	got, err := w.s.AudienceByFlow(w.Context(), w.scope, meta.FlowID(a.ID))
	w.must(err)
	equal(w, "audience", got, a)
	_, err = w.s.AudienceByFlow(w.Context(), audience.Scope{Org: w.scope.Org, Sandbox: "dev"}, meta.FlowID(a.ID))
	w.want(err, meta.ErrNotFound)
	w.update(func(tx meta.Tx) error { return tx.DeleteAudience(w.Context(), w.scope, a.ID) })
	_, err = w.s.AudienceByFlow(w.Context(), w.scope, meta.FlowID(a.ID))
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

func testRunsByFlow(w *world) {
	a := w.audience("a")
	var all []audience.Run // newest first
	for i := range 5 {
		r := w.end(w.start(a, at(i), func(r *audience.Run) { r.Planned = []audience.PlannedFile{{Path: "f"}} }), audience.Success)
		r.Planned = nil
		all = append([]audience.Run{r}, all...)
	}
	w.start(w.audience("b"), at(9))
	list := func(scope audience.Scope, before int64, limit int) []audience.Run {
		w.Helper()
		runs, err := w.s.RunsByFlow(w.Context(), scope, all[0].FlowID, before, limit)
		w.must(err)
		return runs
	}
	equal(w, "the first page", list(w.scope, 0, 2), all[:2])
	equal(w, "the rest", list(w.scope, all[1].Seq, 10), all[2:])
	equal(w, "nothing before the first", len(list(w.scope, 1, 10)), 0)
	equal(w, "a limit of nothing", len(list(w.scope, 0, 0)), 0)
	equal(w, "another sandbox", len(list(audience.Scope{Org: w.scope.Org, Sandbox: "dev"}, 0, 10)), 0)
	w.update(func(tx meta.Tx) error { return tx.DeleteAudience(w.Context(), w.scope, a.ID) })
	equal(w, "a deleted audience", len(list(w.scope, 0, 10)), 0)
}
