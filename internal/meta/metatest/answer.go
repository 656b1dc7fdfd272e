package metatest

import (
	"roster/internal/audience"
	"roster/internal/meta"
)

func testAnswers(w *world) {
	k := audience.RequestKey{Scope: w.scope, ClientID: "c1", Key: "k"}
	_, err := w.s.Answer(w.Context(), k)
	w.want(err, meta.ErrNotFound)
	begun := audience.Answer{RequestKey: k, Request: "POST /x", BegunAt: at(0)}
	done := begun
	done.Status, done.Body, done.BegunAt = 200, `{"a":1}`, at(1)
	done.Rights = audience.Rights{Role: audience.Editor, OrgRole: audience.Viewer, Grants: audience.Grants{"core/C1"}}
	for _, a := range []audience.Answer{begun, done} {
		w.update(func(tx meta.Tx) error { return tx.KeepAnswer(w.Context(), a) })
		got, err := w.s.Answer(w.Context(), k)
		w.must(err)
		equal(w, "answer", got, a)
	}
	unanswered := audience.Answer{RequestKey: audience.RequestKey{Scope: w.scope, ClientID: "c1", Key: "unanswered"}, BegunAt: at(9)}
	w.update(func(tx meta.Tx) error { return tx.KeepAnswer(w.Context(), unanswered) })
	w.update(func(tx meta.Tx) error { return tx.DeleteUnanswered(w.Context()) })
	_, err = w.s.Answer(w.Context(), unanswered.RequestKey)
	w.want(err, meta.ErrNotFound)
	for _, other := range []audience.RequestKey{
		{Scope: w.scope, ClientID: "c1", Key: "K"}, {Scope: w.scope, ClientID: "c2", Key: "k"},
		{Scope: audience.Scope{Org: "other", Sandbox: w.scope.Sandbox}, ClientID: "c1", Key: "k"},
		{Scope: audience.Scope{Org: w.scope.Org, Sandbox: "dev"}, ClientID: "c1", Key: "k"},
	} {
		_, err := w.s.Answer(w.Context(), other)
		w.want(err, meta.ErrNotFound)
		w.update(func(tx meta.Tx) error { return tx.DeleteAnswer(w.Context(), other) })
	}
	later := audience.Answer{RequestKey: audience.RequestKey{Scope: w.scope, ClientID: "c1", Key: "later"}, BegunAt: at(5)}
	w.update(func(tx meta.Tx) error { return tx.KeepAnswer(w.Context(), later) })
	w.update(func(tx meta.Tx) error {
		n, err := tx.DeleteAnswers(w.Context(), at(5))
		equal(w, "answers that were dropped", n, 1)
		return err
	})
	_, err = w.s.Answer(w.Context(), k)
	w.want(err, meta.ErrNotFound)
	w.update(func(tx meta.Tx) error { return tx.DeleteAnswer(w.Context(), later.RequestKey) })
	_, err = w.s.Answer(w.Context(), later.RequestKey)
	w.want(err, meta.ErrNotFound)
}
