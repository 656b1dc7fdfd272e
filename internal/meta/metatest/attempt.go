package metatest

import (
	"roster/internal/audience"
	"roster/internal/meta"
)

func testAttempts(w *world) {
	w.tenant()
	first, second := w.start(w.audience("a"), at(0)), w.start(w.audience("b"), at(0))
	task := w.submit(w.draft("c"), at(0))
	attempt := func(id string) meta.Attempt {
		w.Helper()
		got, err := w.s.Attempt(w.Context(), id)
		w.must(err)
		return got
	}
	open := func(id, worker string) {
		w.Helper()
		w.update(func(tx meta.Tx) error { return tx.OpenAttempt(w.Context(), id, worker) })
	}
	died := func(worker string, files map[string][]string) (n int) {
		w.Helper()
		w.update(func(tx meta.Tx) (err error) {
			n, err = tx.CountDeath(w.Context(), worker, "out of memory", files)
			return err
		})
		return n
	}
	equal(w, "nothing known", attempt(string(first.ID)), meta.Attempt{})
	open(string(first.ID), "one")
	open(string(second.ID), "one")
	open(string(task.ID), "two")
	w.update(func(tx meta.Tx) error { return tx.CloseAttempt(w.Context(), string(second.ID)) })
	equal(w, "open", died("one", map[string][]string{string(first.ID): {"a.parquet"}, "other": {"b"}}), 1)
	equal(w, "a death", attempt(string(first.ID)), meta.Attempt{Deaths: 1, Cause: "out of memory", Files: []string{"a.parquet"}})
	equal(w, "closed before", attempt(string(second.ID)).Deaths, 0)
	equal(w, "counted already", died("one", nil), 0)
	open(string(first.ID), "two")
	equal(w, "open", died("two", nil), 2)
	equal(w, "two deaths", attempt(string(first.ID)), meta.Attempt{Deaths: 2, Cause: "out of memory", Files: []string{}})
	equal(w, "a death of a task", attempt(string(task.ID)).Deaths, 1)
	w.update(func(tx meta.Tx) error { return tx.EndAttempts(w.Context(), string(first.ID)) })
	equal(w, "ended", attempt(string(first.ID)), meta.Attempt{})
	open(string(second.ID), "three")
	died("three", nil)
	w.end(second, audience.Failed)
	died("four", nil)
	equal(w, "of a run that ended", attempt(string(second.ID)), meta.Attempt{})
}
