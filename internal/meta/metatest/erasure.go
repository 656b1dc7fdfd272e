package metatest

import (
	"slices"
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
	leaving, err := w.s.LeavingIdentities(w.Context(), w.scope)
	w.must(err)
	equal(w, "leaving identities", leaving, []string{"R00"})
	leaders := func(want ...audience.Erasure) {
		w.Helper()
		got, err := w.s.ErasureLeaders(w.Context(), w.scope)
		w.must(err)
		equal(w, "leaders", got, want)
		sandboxes, err := w.s.ErasingSandboxes(w.Context())
		w.must(err)
		if !slices.Contains(sandboxes, elsewhere.Scope) || !slices.Contains(sandboxes, w.scope) {
			w.Errorf("the sandboxes with erasures are %v", sandboxes)
		}
	}
	leaders(first, second)

	changed := first
	changed.Progress = audience.ErasureProgress{Forgotten: true, After: "a", AfterAt: at(3), Replaced: []string{"data/x"}, Failures: 1, RetryAt: at(9),
		Current:   &audience.ErasingAudience{ID: "b", Labels: []string{"x"}, RunID: "r2", Counted: true},
		Audiences: []audience.ErasedAudience{{ID: "a", RunID: "r", Members: 1, Versions: 2, Files: 3, Rejects: 4, By: "e"}}}
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
	w.update(func(tx meta.Tx) error { return tx.SetErasureLeader(w.Context(), first.ID, first.ID, second.ID) })
	changed.Version, changed.Leader, second.Leader = 2, first.ID, first.ID
	leaders(changed)
	led, err := w.s.ErasuresLedBy(w.Context(), first.ID)
	w.must(err)
	equal(w, "led erasures", led, []audience.Erasure{changed, second})
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
	leaders()
	of := func(processing int, updated time.Time) {
		w.Helper()
		n, last, err := w.s.ErasuresOf(w.Context(), w.scope, []audience.ErasureID{first.ID, second.ID, elsewhere.ID, "absent"})
		w.must(err)
		if n != processing || !last.Equal(updated) {
			w.Errorf("%d are in progress, the last change was at %v", n, last)
		}
	}
	of(1, at(5))
	w.update(func(tx meta.Tx) error { return tx.SetErasureLeader(w.Context(), second.ID, first.ID, second.ID) })
	w.update(func(tx meta.Tx) error { return tx.EndErasures(w.Context(), second.ID, at(8)) })
	second.Status, second.Sealed, second.EndedAt, second.UpdatedAt, second.Version, second.Leader = audience.Success, "", at(8), at(8), 2, second.ID
	led, err = w.s.ErasuresLedBy(w.Context(), second.ID)
	w.must(err)
	equal(w, "erasures that ended together", led, []audience.Erasure{second})
	of(0, at(8))
	leaving, err = w.s.LeavingIdentities(w.Context(), w.scope)
	w.must(err)
	equal(w, "leaving identities after the end", len(leaving), 0)
	if sandboxes, err := w.s.ErasingSandboxes(w.Context()); err != nil || slices.Contains(sandboxes, w.scope) {
		w.Errorf("after the end the sandboxes with erasures are %v, %v", sandboxes, err)
	}

	dropped := []audience.DroppedVersion{{Audience: "a", Run: "r1", SnapshotID: 1 << 60, At: at(1), Erasure: first.ID}, {Audience: "b", Run: "r1", SnapshotID: 2, At: at(2), Erasure: first.ID}}
	w.update(func(tx meta.Tx) error { return tx.AddDroppedVersions(w.Context(), dropped) })
	again := dropped[0]
	again.Erasure = second.ID
	w.update(func(tx meta.Tx) error { return tx.AddDroppedVersions(w.Context(), []audience.DroppedVersion{again}) })
	of1, err := w.s.DroppedVersions(w.Context(), "a")
	w.must(err)
	equal(w, "dropped versions", of1, dropped[:1])
	by, err := w.s.VersionsDroppedBy(w.Context(), first.ID)
	w.must(err)
	equal(w, "versions dropped by an erasure", by, dropped)
}
