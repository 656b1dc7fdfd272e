package metatest

import (
	"time"

	"roster/internal/audience"
	"roster/internal/meta"
)

// erasure begins an erasure.
func (w *world) erasure(created int) audience.Erasure {
	w.Helper()
	e := audience.Erasure{ID: audience.ErasureID(id()), Scope: w.scope, Namespace: "Email", XID: "R00", Sealed: "sealed", Status: audience.Processing,
		CreatedBy: "c1", CreatedAt: at(created), UpdatedAt: at(created), Version: 1,
		Progress: audience.ErasureProgress{Members: []audience.ErasedMember{{Audience: 7, Key: "0a"}}}}
	w.update(func(tx meta.Tx) error { return tx.CreateErasure(w.Context(), e) })
	return e
}

func testErasures(w *world) {
	first, second := w.erasure(1), w.erasure(2)
	elsewhere := (&world{T: w.T, s: w.s, scope: audience.Scope{Org: w.scope.Org, Sandbox: "dev"}}).erasure(0)
	w.refused(meta.ErrDuplicate, func(tx meta.Tx) error { return tx.CreateErasure(w.Context(), first) })
	_, err := w.s.Erasure(w.Context(), w.scope, elsewhere.ID)
	w.want(err, meta.ErrNotFound)
	list := func(after *audience.Position, limit int) []audience.Erasure {
		got, err := w.s.Erasures(w.Context(), w.scope, after, limit)
		w.must(err)
		return got
	}
	equal(w, "erasures", list(nil, 10), []audience.Erasure{second, first})
	equal(w, "first page", list(nil, 1), []audience.Erasure{second})
	equal(w, "second page", list(&audience.Position{At: second.CreatedAt, ID: string(second.ID)}, 1), []audience.Erasure{first})
	erased, err := w.s.ErasedIdentities(w.Context(), w.scope)
	w.must(err)
	equal(w, "erased identities", erased, []string{"R00"})
	unfinished := func(want ...audience.Erasure) {
		w.Helper()
		got, err := w.s.UnfinishedErasures(w.Context())
		w.must(err)
		equal(w, "unfinished erasures", got, want)
	}
	unfinished(elsewhere, first, second)

	changed := first
	changed.Progress = audience.ErasureProgress{Forgotten: true, After: "a", AfterAt: at(3), Replaced: []string{"data/x"}, Failures: 1, RetryAt: at(9),
		Audiences: []audience.ErasedAudience{{ID: "a", RunID: "r", Members: 1, Versions: 2, Files: 3, Rejects: 4}}}
	changed.Error = audience.Errorf(audience.Impossible, "why")
	changed.UpdatedAt = at(4)
	w.update(func(tx meta.Tx) error {
		saved := changed
		err := tx.SaveErasure(w.Context(), &saved)
		if saved.Version != 2 {
			w.Errorf("version %d", saved.Version)
		}
		return err
	})
	w.refused(meta.ErrStale, func(tx meta.Tx) error { stale := first; return tx.SaveErasure(w.Context(), &stale) })
	changed.Version = 2
	got, err := w.s.Erasure(w.Context(), w.scope, first.ID)
	w.must(err)
	equal(w, "saved erasure", got, changed)

	ended := changed
	ended.Status, ended.Sealed, ended.Error, ended.EndedAt, ended.UpdatedAt = audience.Success, "", nil, at(5), at(5)
	ended.Progress.AfterAt, ended.Progress.RetryAt = time.Time{}, time.Time{}
	w.update(func(tx meta.Tx) error { saved := ended; return tx.SaveErasure(w.Context(), &saved) })
	ended.Version = 3
	got, err = w.s.Erasure(w.Context(), w.scope, first.ID)
	w.must(err)
	equal(w, "ended erasure", got, ended)
	w.refused(meta.ErrStale, func(tx meta.Tx) error { again := ended; return tx.SaveErasure(w.Context(), &again) })
	unfinished(elsewhere, second)
}
