package connect

import (
	"context"
	"errors"
	"sync"

	"roster/internal/audience"
	"roster/internal/meta"
	"roster/internal/pgp"
)

// Keys loads the keys that open the files of an audience. It returns nil for an audience whose files are not encrypted.
// An expired key opens the files that were encrypted for it.
func (o *Opener) Keys(scope audience.Scope, e *audience.Encryption) pgp.KeyLoader {
	if e == nil {
		return nil
	}
	return &loadOnce{from: audienceKeys{o, scope, e}}
}

// EveryKey loads the keys for a file that is inspected before an audience names its key: all key pairs of the sandbox.
// No signature is required.
func (o *Opener) EveryKey(scope audience.Scope) pgp.KeyLoader {
	return &loadOnce{from: sandboxKeys{o, scope}}
}

// audienceKeys loads the keys of an audience.
type audienceKeys struct {
	o     *Opener
	scope audience.Scope
	e     *audience.Encryption
}

// Load implements pgp.KeyLoader.
func (k audienceKeys) Load(ctx context.Context) (*pgp.Keys, error) {
	own, err := k.o.key(ctx, k.scope, audience.OwnKey, k.e.PublicKeyID)
	if err != nil {
		return nil, err
	}
	private, err := k.o.private(&own)
	if err != nil {
		return nil, err
	}
	verify := ""
	if k.e.SignVerificationKeyID != "" {
		signer, err := k.o.key(ctx, k.scope, audience.CustomerKey, k.e.SignVerificationKeyID)
		if err != nil {
			return nil, err
		}
		verify = signer.Public
	}
	return pgp.NewKeys([][]byte{private}, verify, k.o.cfg.Clock)
}

// sandboxKeys loads all key pairs of a sandbox.
type sandboxKeys struct {
	o     *Opener
	scope audience.Scope
}

// Load implements pgp.KeyLoader.
func (k sandboxKeys) Load(ctx context.Context) (*pgp.Keys, error) {
	list, err := k.o.cfg.Store.Keys(ctx, k.scope, audience.OwnKey)
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for i := range list {
		private, err := k.o.private(&list[i])
		if err != nil {
			return nil, err
		}
		all = append(all, private)
	}
	return pgp.NewKeys(all, "", k.o.cfg.Clock)
}

// loadOnce keeps the keys after the first successful load.
type loadOnce struct {
	from pgp.KeyLoader
	mu   sync.Mutex
	keys *pgp.Keys
}

// Load implements pgp.KeyLoader.
func (l *loadOnce) Load(ctx context.Context) (_ *pgp.Keys, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keys == nil {
		l.keys, err = l.from.Load(ctx)
	}
	return l.keys, err
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
