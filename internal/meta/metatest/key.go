package metatest

import (
	"roster/internal/audience"
	"roster/internal/meta"
)

func (w *world) key(kind audience.KeyKind, created int) audience.Key {
	w.Helper()
	k := audience.Key{ID: audience.KeyID(id()), Scope: w.scope, Kind: kind, Name: "Müller", Algorithm: "PGP", Public: "public", ExpiresAt: at(created + 1000),
		CreatedBy: "client", CreatedAt: at(created)}
	if kind == audience.OwnKey {
		k.Sealed = "sealed"
	}
	w.update(func(tx meta.Tx) error { return tx.CreateKey(w.Context(), k) })
	return k
}

func testKeys(w *world) {
	ctx := w.Context()
	second, first, theirs := w.key(audience.OwnKey, 1), w.key(audience.OwnKey, 0), w.key(audience.CustomerKey, 2)
	list, err := w.s.Keys(ctx, w.scope, audience.OwnKey)
	w.must(err)
	equal(w, "own keys", list, []audience.Key{first, second})
	list, err = w.s.Keys(ctx, w.scope, audience.CustomerKey)
	w.must(err)
	equal(w, "customers' keys", list, []audience.Key{theirs})
	got, err := w.s.Key(ctx, w.scope, audience.CustomerKey, theirs.ID)
	w.must(err)
	equal(w, "key", got, theirs)
	_, err = w.s.Key(ctx, w.scope, audience.OwnKey, theirs.ID)
	w.want(err, meta.ErrNotFound)
	for _, elsewhere := range []audience.Scope{{Org: w.scope.Org, Sandbox: "elsewhere"}, {Org: "other", Sandbox: w.scope.Sandbox}} {
		_, err = w.s.Key(ctx, elsewhere, audience.OwnKey, first.ID)
		w.want(err, meta.ErrNotFound)
		list, err = w.s.Keys(ctx, elsewhere, audience.OwnKey)
		w.must(err)
		equal(w, "keys elsewhere", len(list), 0)
		w.refused(meta.ErrNotFound, func(tx meta.Tx) error { return tx.DeleteKey(ctx, elsewhere, audience.OwnKey, first.ID) })
	}
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error { return tx.DeleteKey(ctx, w.scope, audience.CustomerKey, first.ID) })
	w.update(func(tx meta.Tx) error { return tx.DeleteKey(ctx, w.scope, audience.OwnKey, first.ID) })
	_, err = w.s.Key(ctx, w.scope, audience.OwnKey, first.ID)
	w.want(err, meta.ErrNotFound)
}

func testKeyInUse(w *world) {
	w.tenant()
	own, next, theirs := w.key(audience.OwnKey, 0), w.key(audience.OwnKey, 0), w.key(audience.CustomerKey, 0)
	inUse := func(what string, want bool, keys ...audience.Key) {
		w.Helper()
		for _, k := range keys {
			w.update(func(tx meta.Tx) error {
				used, err := tx.KeyInUse(w.Context(), w.scope, k.ID)
				equal(w, what, used, want)
				return err
			})
		}
	}
	inUse("in use at first", false, own, next, theirs)
	draft := w.draft("a")
	draft.Source.Encryption = &audience.Encryption{PublicKeyID: own.ID, SignVerificationKeyID: theirs.ID}
	failing := w.submit(draft, at(0))
	inUse("in use by a task", true, own, theirs)
	w.finish(failing, audience.Failed)
	inUse("in use by a failed task", false, own, theirs)
	task := w.submit(draft, at(1))
	w.finish(task, audience.Success)
	inUse("in use by an audience", true, own, theirs)
	a, err := w.s.Audience(w.Context(), w.scope, task.AudienceID)
	w.must(err)
	equal(w, "the encryption", a.Source.Encryption, draft.Source.Encryption)
	a.Source.Encryption = &audience.Encryption{PublicKeyID: next.ID}
	w.update(func(tx meta.Tx) error { return tx.UpdateAudience(w.Context(), a) })
	inUse("after a rotation", false, own, theirs)
	inUse("the next one", true, next)
	w.update(func(tx meta.Tx) error { return tx.DeleteAudience(w.Context(), w.scope, task.AudienceID) })
	inUse("in use by a deleted audience", false, next)
}
