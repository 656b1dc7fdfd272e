package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/meta"
	"roster/internal/pgp"
)

// maxKeys is the largest number of PGP keys of a kind in a sandbox.
const maxKeys = 100

// CreateKey creates a key pair of the server. It uses only Name and Algorithm of k. The private part is sealed, and
// never answered.
func (s *Service) CreateKey(ctx context.Context, a audience.Actor, k audience.Key) (audience.Key, error) {
	return s.addKey(ctx, a, audience.OwnKey, k, func(k *audience.Key) error {
		public, private, err := pgp.Generate(string(k.ID), k.CreatedAt, audience.KeyLife)
		if err != nil {
			return err
		}
		k.Public, k.ExpiresAt = public, k.CreatedAt.Add(audience.KeyLife)
		if k.Sealed, err = s.cfg.Sealer.Seal(private, meta.SealedKey.Place(string(k.ID))); err != nil {
			return fmt.Errorf("seal a PGP key: %w", err)
		}
		return nil
	})
}

// AddCustomerKey records a public key for the verification of signatures. It uses only Name, Algorithm and Public of k.
func (s *Service) AddCustomerKey(ctx context.Context, a audience.Actor, k audience.Key) (audience.Key, error) {
	return s.addKey(ctx, a, audience.CustomerKey, k, func(k *audience.Key) error {
		if k.Public == "" {
			return audience.InvalidField("publicKey", "is required")
		}
		parsed, err := pgp.ParsePublic(k.Public, k.CreatedAt)
		if err != nil {
			return audience.InvalidField("publicKey", "%v", err)
		}
		k.Public, k.ExpiresAt = parsed.Armoured, parsed.Expires
		return nil
	})
}

// addKey records a key that fill completes.
func (s *Service) addKey(ctx context.Context, a audience.Actor, kind audience.KeyKind, k audience.Key, fill func(*audience.Key) error) (_ audience.Key, err error) {
	d, err := s.begin(ctx, a, allow(a, toAdminister), audience.KeyCreate, string(kind))
	if err != nil {
		return audience.Key{}, err
	}
	defer d.end(ctx, &err)
	var wrong audience.Problems
	if k.Name != "" {
		wrong.Text("name", k.Name)
	}
	if k.Algorithm = strings.ToUpper(k.Algorithm); !slices.Contains(audience.KeyAlgorithms, k.Algorithm) {
		wrong.Add("encryptionAlgorithm", "%.64q is not one of %s", k.Algorithm, strings.Join(audience.KeyAlgorithms, ", "))
	}
	if err := wrong.Err(); err != nil {
		return audience.Key{}, err
	}
	k = audience.Key{ID: audience.KeyID(uuid.NewString()), Scope: a.Scope, Kind: kind, Name: k.Name, Algorithm: k.Algorithm, Public: k.Public,
		CreatedBy: a.ClientID, CreatedAt: s.now()}
	if err := fill(&k); err != nil {
		return audience.Key{}, err
	}
	d.entry.Object = string(k.ID)
	d.entry.Changes(nil, keyFacts(&k))
	err = d.update(ctx, func(tx meta.Tx) error {
		if err := openSandbox(ctx, tx, k.Scope); err != nil {
			return err
		}
		all, err := tx.Keys(ctx, k.Scope, kind)
		if err != nil {
			return err
		}
		if len(all) >= maxKeys {
			return audience.Errorf(audience.Impossible, "sandbox %q has %d keys of this kind, which is the limit; delete one first", k.Scope.Sandbox, len(all))
		}
		return tx.CreateKey(ctx, k)
	})
	return k, err
}

// Keys lists the PGP keys of a kind in the actor's sandbox by creation time.
func (s *Service) Keys(ctx context.Context, a audience.Actor, kind audience.KeyKind) ([]audience.Key, error) {
	if err := allow(a, toRead); err != nil {
		return nil, err
	}
	return s.cfg.Store.Keys(ctx, a.Scope, kind)
}

// Key returns one PGP key of a kind, and whether it has expired.
func (s *Service) Key(ctx context.Context, a audience.Actor, kind audience.KeyKind, id audience.KeyID) (k audience.Key, expired bool, err error) {
	if err := allow(a, toRead); err != nil {
		return audience.Key{}, false, err
	}
	key, ok := audience.Canonical(id)
	if !ok {
		return audience.Key{}, false, notFound("key", id)
	}
	k, err = s.cfg.Store.Key(ctx, a.Scope, kind, key)
	return k, k.Expired(s.now()), absent(err, "key", id)
}

// DeleteKey removes a PGP key that no audience uses. Files that are encrypted for a deleted key pair can no longer be
// decrypted.
func (s *Service) DeleteKey(ctx context.Context, a audience.Actor, kind audience.KeyKind, id audience.KeyID) (err error) {
	d, err := s.begin(ctx, a, allow(a, toAdminister), audience.KeyDelete, string(id))
	if err != nil {
		return err
	}
	defer d.end(ctx, &err)
	key, ok := audience.Canonical(id)
	if !ok {
		return notFound("key", id)
	}
	return d.update(ctx, func(tx meta.Tx) error {
		found, err := tx.Key(ctx, a.Scope, kind, key)
		if err != nil {
			return absent(err, "key", id)
		}
		d.entry.Changes(keyFacts(&found), nil)
		used, err := tx.KeyInUse(ctx, a.Scope, key)
		if err != nil {
			return err
		}
		if used {
			return audience.Errorf(audience.Impossible, "key %s is in use by an audience; give its audiences another key in sourceSpec.encryption, or delete them first", key)
		}
		return absent(tx.DeleteKey(ctx, a.Scope, kind, key), "key", id)
	})
}

// checkEncryption checks that the keys of an audience exist and are valid for new files. It makes their ids canonical.
func (s *Service) checkEncryption(ctx context.Context, r meta.Keys, scope audience.Scope, source *audience.SourceSpec) error {
	if source.Encryption == nil {
		return nil
	}
	e := *source.Encryption
	source.Encryption = &e
	for _, named := range []struct {
		property string
		id       *audience.KeyID
		kind     audience.KeyKind
		made     string
	}{
		{"sourceSpec.encryption.publicKeyId", &e.PublicKeyID, audience.OwnKey, "keys"},
		{"sourceSpec.encryption.signVerificationKeyId", &e.SignVerificationKeyID, audience.CustomerKey, "customer-keys"},
	} {
		if *named.id == "" {
			continue
		}
		k, err := audience.Key{}, meta.ErrNotFound
		if id, ok := audience.Canonical(*named.id); ok {
			*named.id = id
			k, err = r.Key(ctx, scope, named.kind, id)
		}
		switch {
		case errors.Is(err, meta.ErrNotFound):
			return audience.InvalidField(named.property, "key %.64q does not exist in sandbox %q; create it with POST /data/foundation/connectors/encryption/%s", *named.id, scope.Sandbox, named.made)
		case err != nil:
			return err
		case k.Expired(s.now()):
			return audience.InvalidField(named.property, "key %s expired on %s; name one that has not", k.ID, k.ExpiresAt.UTC().Format("2006-01-02"))
		}
	}
	return nil
}
