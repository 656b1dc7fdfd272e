package sqlstore

import (
	"context"
	"fmt"

	"roster/internal/audience"
	"roster/internal/meta"
)

const erasureColumns = `id, org, sandbox, namespace, xid, sealed, status, error, created_by, created_at, updated_at, ended_at, progress, version`

func scanErasure(r row) (e audience.Erasure, err error) {
	return e, r.Scan(&e.ID, &e.Scope.Org, &e.Scope.Sandbox, &e.Namespace, &e.XID, &e.Sealed, &e.Status, asJSON(&e.Error), &e.CreatedBy,
		asTime(&e.CreatedAt), asTime(&e.UpdatedAt), asTime(&e.EndedAt), asJSON(&e.Progress), &e.Version)
}

// Erasure implements meta.Reader.
func (q queries) Erasure(ctx context.Context, scope audience.Scope, id audience.ErasureID) (audience.Erasure, error) {
	return one(ctx, q, "the erasure", `SELECT `+erasureColumns+` FROM erasures WHERE id = $1 AND org = $2 AND sandbox = $3`,
		[]any{id, scope.Org, scope.Sandbox}, scanErasure)
}

// Erasures implements meta.Reader.
func (q queries) Erasures(ctx context.Context, scope audience.Scope, after *audience.Position, limit int) ([]audience.Erasure, error) {
	where, args := `org = $1 AND sandbox = $2`, []any{scope.Org, scope.Sandbox}
	if after != nil {
		where += ` AND (created_at, id) < ($3, $4)`
		args = append(args, asTime(&after.At), after.ID)
	}
	args = append(args, max(limit, 0))
	return list(ctx, q, "the erasures", `SELECT `+erasureColumns+` FROM erasures WHERE `+where+
		fmt.Sprintf(` ORDER BY created_at DESC, id DESC LIMIT $%d`, len(args)), args, scanErasure)
}

// UnfinishedErasures implements meta.Reader.
func (q queries) UnfinishedErasures(ctx context.Context) ([]audience.Erasure, error) {
	return list(ctx, q, "the unfinished erasures", `SELECT `+erasureColumns+` FROM erasures WHERE status = 'PROCESSING' ORDER BY created_at, id`, nil, scanErasure)
}

// ErasedIdentities implements meta.Reader.
func (q queries) ErasedIdentities(ctx context.Context, scope audience.Scope) ([]string, error) {
	return list(ctx, q, "the erased identities", `SELECT DISTINCT xid FROM erasures WHERE org = $1 AND sandbox = $2`,
		[]any{scope.Org, scope.Sandbox}, value[string])
}

func (t *tx) CreateErasure(ctx context.Context, e audience.Erasure) error {
	return t.insert(ctx, "the erasure", "erasures", erasureColumns, e.ID, e.Scope.Org, e.Scope.Sandbox, e.Namespace, e.XID, e.Sealed, e.Status,
		asJSON(&e.Error), e.CreatedBy, asTime(&e.CreatedAt), asTime(&e.UpdatedAt), asTime(&e.EndedAt), asJSON(&e.Progress), e.Version)
}

func (t *tx) SaveErasure(ctx context.Context, e *audience.Erasure) error {
	err := t.must(ctx, meta.ErrStale, "the erasure", `UPDATE erasures SET sealed = $1, status = $2, error = $3, updated_at = $4, ended_at = $5, progress = $6,
		version = version + 1 WHERE id = $7 AND version = $8 AND status = 'PROCESSING'`,
		e.Sealed, e.Status, asJSON(&e.Error), asTime(&e.UpdatedAt), asTime(&e.EndedAt), asJSON(&e.Progress), e.ID, e.Version)
	if err == nil {
		e.Version++
	}
	return err
}
