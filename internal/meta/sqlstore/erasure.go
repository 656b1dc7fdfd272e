package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"roster/internal/audience"
	"roster/internal/meta"
)

const erasureColumns = `id, org, sandbox, namespace, xid, sealed, status, error, created_by, created_at, updated_at, ended_at, progress, version, leader`

func scanErasure(r row) (e audience.Erasure, err error) {
	return e, r.Scan(&e.ID, &e.Scope.Org, &e.Scope.Sandbox, &e.Namespace, &e.XID, &e.Sealed, &e.Status, asJSON(&e.Error), &e.CreatedBy,
		asTime(&e.CreatedAt), asTime(&e.UpdatedAt), asTime(&e.EndedAt), asJSON(&e.Progress), &e.Version, &e.Leader)
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

// LeavingIdentities implements meta.Reader.
func (q queries) LeavingIdentities(ctx context.Context, scope audience.Scope) ([]string, error) {
	return list(ctx, q, "the identities that are being erased", `SELECT DISTINCT xid FROM erasures WHERE status = 'PROCESSING' AND org = $1 AND sandbox = $2`,
		[]any{scope.Org, scope.Sandbox}, value[string])
}

// ErasingSandboxes implements meta.Reader.
func (q queries) ErasingSandboxes(ctx context.Context) ([]audience.Scope, error) {
	return list(ctx, q, "the sandboxes with unfinished erasures", `SELECT DISTINCT org, sandbox FROM erasures WHERE status = 'PROCESSING'`, nil,
		func(r row) (s audience.Scope, err error) { return s, r.Scan(&s.Org, &s.Sandbox) })
}

// ErasureLeaders implements meta.Reader.
func (q queries) ErasureLeaders(ctx context.Context, scope audience.Scope) ([]audience.Erasure, error) {
	return list(ctx, q, "the unfinished erasures", `SELECT `+erasureColumns+` FROM erasures WHERE status = 'PROCESSING' AND org = $1 AND sandbox = $2
		AND leader IN ('', id) ORDER BY created_at, id`, []any{scope.Org, scope.Sandbox}, scanErasure)
}

// ErasuresLedBy implements meta.Reader.
func (q queries) ErasuresLedBy(ctx context.Context, leader audience.ErasureID) ([]audience.Erasure, error) {
	return list(ctx, q, "the erasures with a leader", `SELECT `+erasureColumns+` FROM erasures WHERE leader = $1 ORDER BY created_at, id`, []any{leader}, scanErasure)
}

// idsAtOnce is the largest number of ids in a statement.
const idsAtOnce = 500

// ErasuresOf implements meta.Reader.
func (q queries) ErasuresOf(ctx context.Context, scope audience.Scope, ids []audience.ErasureID) (processing int, updated time.Time, err error) {
	for some := range slices.Chunk(ids, idsAtOnce) {
		args := []any{scope.Org, scope.Sandbox}
		for _, id := range some {
			args = append(args, id)
		}
		_, err := one(ctx, q, "the erasures of a work order", `SELECT COUNT(CASE WHEN status = 'PROCESSING' THEN 1 END), COALESCE(MAX(updated_at), 0) FROM erasures
			WHERE org = $1 AND sandbox = $2 AND id IN (`+placeholders(3, len(some))+`)`, args, func(r row) (struct{}, error) {
			var n int
			var at time.Time
			err := r.Scan(&n, asTime(&at))
			processing += n
			if at.After(updated) {
				updated = at
			}
			return struct{}{}, err
		})
		if err != nil {
			return 0, updated, err
		}
	}
	return processing, updated, nil
}

const droppedColumns = `audience_id, run_id, snapshot_id, committed_at, leader`

func scanDropped(r row) (d audience.DroppedVersion, err error) {
	return d, r.Scan(&d.Audience, &d.Run, &d.SnapshotID, asTime(&d.At), &d.Erasure)
}

// DroppedVersions implements meta.Reader.
func (q queries) DroppedVersions(ctx context.Context, aud audience.ID) ([]audience.DroppedVersion, error) {
	return list(ctx, q, "the removed versions of an audience", `SELECT `+droppedColumns+` FROM dropped_versions WHERE audience_id = $1
		ORDER BY committed_at, run_id`, []any{aud}, scanDropped)
}

// VersionsDroppedBy implements meta.Reader.
func (q queries) VersionsDroppedBy(ctx context.Context, leader audience.ErasureID) ([]audience.DroppedVersion, error) {
	return list(ctx, q, "the versions that an erasure removed", `SELECT `+droppedColumns+` FROM dropped_versions WHERE leader = $1
		ORDER BY audience_id, committed_at, run_id`, []any{leader}, scanDropped)
}

// ErasedIdentities implements meta.Reader.
func (q queries) ErasedIdentities(ctx context.Context, scope audience.Scope) ([]string, error) {
	return list(ctx, q, "the erased identities", `SELECT DISTINCT xid FROM erasures WHERE org = $1 AND sandbox = $2`,
		[]any{scope.Org, scope.Sandbox}, value[string])
}

func (t *tx) CreateErasure(ctx context.Context, e audience.Erasure) error {
	return t.insert(ctx, "the erasure", "erasures", erasureColumns, e.ID, e.Scope.Org, e.Scope.Sandbox, e.Namespace, e.XID, e.Sealed, e.Status,
		asJSON(&e.Error), e.CreatedBy, asTime(&e.CreatedAt), asTime(&e.UpdatedAt), asTime(&e.EndedAt), asJSON(&e.Progress), e.Version, e.Leader)
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

func (t *tx) SetErasureLeader(ctx context.Context, leader audience.ErasureID, ids ...audience.ErasureID) error {
	for some := range slices.Chunk(ids, idsAtOnce) {
		args := []any{leader}
		for _, id := range some {
			args = append(args, id)
		}
		if _, err := t.exec(ctx, "the leader of erasures", `UPDATE erasures SET leader = $1 WHERE status = 'PROCESSING' AND id IN (`+placeholders(2, len(some))+`)`, args...); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) EndErasures(ctx context.Context, leader audience.ErasureID, at time.Time) error {
	_, err := t.exec(ctx, "the end of erasures", `UPDATE erasures SET sealed = '', status = 'SUCCESS', error = $1, updated_at = $2, ended_at = $2, version = version + 1
		WHERE leader = $3 AND status = 'PROCESSING'`, asJSON((*audience.Error)(nil)), asTime(&at), leader)
	return err
}

func (t *tx) AddDroppedVersions(ctx context.Context, list []audience.DroppedVersion) error {
	for _, d := range list {
		_, err := t.exec(ctx, "a removed version", `INSERT INTO dropped_versions (`+droppedColumns+`) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
			d.Audience, d.Run, d.SnapshotID, asTime(&d.At), d.Erasure)
		if err != nil {
			return err
		}
	}
	return nil
}
