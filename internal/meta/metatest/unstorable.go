package metatest

import (
	"roster/internal/audience"
	"roster/internal/meta"
)

// testUnstorable asks for what no row can have: texts that not every engine can keep.
func testUnstorable(w *world) {
	w.tenant()
	a := w.audience("a")
	for _, text := range []string{"a\x00", "\xff"} {
		_, err := w.s.Client(w.Context(), text)
		w.want(err, meta.ErrNotFound)
		_, err = w.s.Sandbox(w.Context(), audience.Scope{Org: w.scope.Org, Sandbox: text})
		w.want(err, meta.ErrNotFound)
		connections, err := w.s.Connections(w.Context(), w.scope, text, "", 10)
		w.must(err)
		equal(w, "connections", len(connections), 0)
		runs, err := w.s.FlowRuns(w.Context(), w.scope, audience.FlowRunQuery{Audience: audience.ID(text), Limit: 10})
		w.must(err)
		equal(w, "runs of a flow", len(runs), 0)
		some, err := w.s.AudiencesByID(w.Context(), w.scope, []audience.ID{audience.ID(text), a.ID})
		w.must(err)
		equal(w, "what exists beside it", some, []audience.Audience{a})
		for _, labels := range [][]string{{text}, {text, "core/C1"}} {
			grants := audience.NewGrants(labels)
			list, total, err := w.s.Audiences(w.Context(), w.scope, audience.AudienceQuery{Limit: 10, SeenBy: &grants})
			w.must(err)
			equal(w, "what somebody with the labels sees", [2]int{len(list), total}, [2]int{len(labels) - 1, len(labels) - 1})
		}
		w.update(func(tx meta.Tx) error { // which stays usable
			_, err := tx.Client(w.Context(), text)
			w.want(err, meta.ErrNotFound)
			_, err = tx.Sandboxes(w.Context(), w.scope.Org)
			return err
		})
	}
}
