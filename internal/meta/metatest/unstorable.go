package metatest

import (
	"roster/internal/audience"
	"roster/internal/meta"
)

// testUnstorable asks for what no row can have: texts that not every engine can keep.
func testUnstorable(w *world) {
	w.tenant()
	for _, text := range []string{"a\x00", "\xff"} {
		_, err := w.s.Client(w.Context(), text)
		w.want(err, meta.ErrNotFound)
		_, err = w.s.Sandbox(w.Context(), audience.Scope{Org: w.scope.Org, Sandbox: text})
		w.want(err, meta.ErrNotFound)
		connections, err := w.s.Connections(w.Context(), w.scope, text, "", 10)
		w.must(err)
		equal(w, "connections", len(connections), 0)
		runs, err := w.s.FlowRuns(w.Context(), w.scope, meta.FlowRunQuery{Audience: audience.ID(text), Limit: 10})
		w.must(err)
		equal(w, "runs of a flow", len(runs), 0)
		w.update(func(tx meta.Tx) error { // which stays usable
			_, err := tx.Client(w.Context(), text)
			w.want(err, meta.ErrNotFound)
			_, err = tx.Sandboxes(w.Context(), w.scope.Org)
			return err
		})
	}
}
