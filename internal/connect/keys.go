package connect

import (
	"context"
	"errors"
	"sync"

	"roster/internal/audience"
	"roster/internal/meta"
	"roster/internal/pgp"
)

// Keys returns what loads, once, the keys that open the files of an audience; nil of one whose files are not encrypted.
// A key that has expired opens what was encrypted for it.
func (o *Opener) Keys(scope audience.Scope, e *audience.Encryption) func(context.Context) (*pgp.Keys, error) {
	if e == nil {
		return nil
	}
	return once(func(ctx context.Context) (*pgp.Keys, error) {
		own, err := o.key(ctx, scope, audience.OwnKey, e.PublicKeyID)
		if err != nil {
			return nil, err
		}
		private, err := o.private(&own)
		if err != nil {
			return nil, err
		}
		verify := ""
		if e.SignVerificationKeyID != "" {
			signer, err := o.key(ctx, scope, audience.CustomerKey, e.SignVerificationKeyID)
			if err != nil {
				return nil, err
			}
			verify = signer.Public
		}
		return pgp.NewKeys([][]byte{private}, verify, o.cfg.Clock)
	})
}

// EveryKey is Keys for whoever looks at a file before an audience says its key: any key pair of the sandbox opens it,
// and no signature is demanded.
func (o *Opener) EveryKey(scope audience.Scope) func(context.Context) (*pgp.Keys, error) {
	return once(func(ctx context.Context) (*pgp.Keys, error) {
		list, err := o.cfg.Store.Keys(ctx, scope, audience.OwnKey)
		if err != nil {
			return nil, err
		}
		var all [][]byte
		for i := range list {
			private, err := o.private(&list[i])
			if err != nil {
				return nil, err
			}
			all = append(all, private)
		}
		return pgp.NewKeys(all, "", o.cfg.Clock)
	})
}

// once calls a function that succeeds at most once.
func once(load func(context.Context) (*pgp.Keys, error)) func(context.Context) (*pgp.Keys, error) {
	var mu sync.Mutex
	var keys *pgp.Keys
	return func(ctx context.Context) (_ *pgp.Keys, err error) {
		mu.Lock()
		defer mu.Unlock()
		if keys == nil {
			keys, err = load(ctx)
		}
		return keys, err
	}
}

func (o *Opener) key(ctx context.Context, scope audience.Scope, kind audience.KeyKind, id audience.KeyID) (audience.Key, error) {
	k, err := o.cfg.Store.Key(ctx, scope, kind, id)
	if errors.Is(err, meta.ErrNotFound) {
		return k, audience.Errorf(audience.Impossible, "key %s, which sourceSpec.encryption names, does not exist any more", id)
	}
	return k, err
}

// private is the private part of a key pair.
func (o *Opener) private(k *audience.Key) ([]byte, error) {
	private, err := o.cfg.Secrets.Open(k.Sealed, meta.SealedKey.Place(string(k.ID)))
	if err != nil {
		o.logOf(k.Scope).Error("open a PGP key", "key", k.ID, "error", err)
		return nil, audience.Errorf(audience.BadGateway, "key %s cannot be opened: the server's keys of secrets are others than when it was made; restore them, or make a new key", k.ID)
	}
	return private, nil
}
