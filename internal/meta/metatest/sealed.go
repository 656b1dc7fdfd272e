package metatest

import (
	"roster/internal/audience"
	"roster/internal/meta"
)

func testSealed(w *world) {
	c, h, e, k := w.connection("files", 0), w.webhook(0), w.erasure(0), w.key(audience.OwnKey, 0)
	list, err := w.s.Sealed(w.Context())
	w.must(err)
	want := []meta.Sealed{{By: meta.SealedConnection, ID: string(c.ID), Text: "sealed"}, {By: meta.SealedErasure, ID: string(e.ID), Text: "sealed"},
		{By: meta.SealedKey, ID: string(k.ID), Text: "sealed"},
		{By: meta.SealedWebhook, ID: string(h.ID), Text: "sealed"}}
	equal(w, "what is sealed", list, want)
	for i, was := range want {
		w.update(func(tx meta.Tx) error { return tx.Reseal(w.Context(), was, "anew") })
		w.refused(meta.ErrStale, func(tx meta.Tx) error { return tx.Reseal(w.Context(), was, "once more") })
		want[i].Text = "anew"
	}
	list, err = w.s.Sealed(w.Context())
	w.must(err)
	equal(w, "what is sealed anew", list, want)
	again, err := w.s.Connection(w.Context(), w.scope, c.ID)
	w.must(err)
	c.Sealed = "anew"
	equal(w, "the connection", again, c)
}
