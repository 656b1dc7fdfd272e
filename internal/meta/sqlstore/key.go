package sqlstore

import (
	"context"

	"roster/internal/audience"
	"roster/internal/meta"
)

const keyColumns = `id, org, sandbox, kind, name, algorithm, public_key, sealed, expires_at, created_by, created_at`

func scanKey(r row) (k audience.Key, err error) {
	return k, r.Scan(&k.ID, &k.Scope.Org, &k.Scope.Sandbox, &k.Kind, &k.Name, &k.Algorithm, &k.Public, &k.Sealed, asTime(&k.ExpiresAt), &k.CreatedBy, asTime(&k.CreatedAt))
}

// Key implements meta.Reader.
func (q queries) Key(ctx context.Context, scope audience.Scope, kind audience.KeyKind, id audience.KeyID) (audience.Key, error) {
	return one(ctx, q, "the key", `SELECT `+keyColumns+` FROM encryption_keys WHERE id = $1 AND kind = $2 AND org = $3 AND sandbox = $4`,
		[]any{id, kind, scope.Org, scope.Sandbox}, scanKey)
}

// Keys implements meta.Reader.
func (q queries) Keys(ctx context.Context, scope audience.Scope, kind audience.KeyKind) ([]audience.Key, error) {
	return list(ctx, q, "the keys", `SELECT `+keyColumns+` FROM encryption_keys WHERE org = $1 AND sandbox = $2 AND kind = $3 ORDER BY created_at, id`,
		[]any{scope.Org, scope.Sandbox, kind}, scanKey)
}

func (t *tx) CreateKey(ctx context.Context, k audience.Key) error {
	return t.insert(ctx, "the key", "encryption_keys", keyColumns,
		k.ID, k.Scope.Org, k.Scope.Sandbox, k.Kind, k.Name, k.Algorithm, k.Public, k.Sealed, asTime(&k.ExpiresAt), k.CreatedBy, asTime(&k.CreatedAt))
}

func (t *tx) DeleteKey(ctx context.Context, scope audience.Scope, kind audience.KeyKind, id audience.KeyID) error {
	return t.must(ctx, meta.ErrNotFound, "the key", `DELETE FROM encryption_keys WHERE id = $1 AND kind = $2 AND org = $3 AND sandbox = $4`,
		id, kind, scope.Org, scope.Sandbox)
}

func (t *tx) KeyInUse(ctx context.Context, scope audience.Scope, id audience.KeyID) (bool, error) {
	return one(ctx, t.queries, "the key's use", `SELECT
		EXISTS (SELECT 1 FROM audiences WHERE (public_key_id = $1 OR verification_key_id = $1) AND org = $2 AND sandbox = $3 AND NOT deleted) OR
		EXISTS (SELECT 1 FROM tasks WHERE (public_key_id = $1 OR verification_key_id = $1) AND org = $2 AND sandbox = $3 AND status = 'PROCESSING')`,
		[]any{id, scope.Org, scope.Sandbox}, value[bool])
}

// keysOf are the keys that an audience names, "" for none.
func keysOf(s audience.SourceSpec) (public, verification audience.KeyID) {
	if s.Encryption == nil {
		return "", ""
	}
	return s.Encryption.PublicKeyID, s.Encryption.SignVerificationKeyID
}
