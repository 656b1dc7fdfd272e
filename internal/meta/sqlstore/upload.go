package sqlstore

import (
	"context"
	"encoding/hex"
	"slices"
	"time"

	"roster/internal/audience"
	"roster/internal/meta"
)

const uploadColumns = `id, org, sandbox, name, size, sha256, received, updated_at`

func scanUpload(r row) (u meta.Upload, err error) {
	var sum string
	if err := r.Scan(&u.ID, &u.Scope.Org, &u.Scope.Sandbox, &u.Name, &u.Size, &sum, &u.Received, asTime(&u.UpdatedAt)); err != nil || sum == "" {
		return u, err
	}
	u.SHA256, err = hex.DecodeString(sum)
	return u, err
}

// Upload implements meta.Reader.
func (q queries) Upload(ctx context.Context, scope audience.Scope, name string) (u meta.Upload, err error) {
	err = q.view(ctx, func(q queries) error {
		u, err = one(ctx, q, "the upload", `SELECT `+uploadColumns+` FROM uploads WHERE org = $1 AND sandbox = $2 AND name = $3`,
			[]any{scope.Org, scope.Sandbox, name}, scanUpload)
		if err != nil {
			return err
		}
		u.Parts, err = list(ctx, q, "the parts of the upload", `SELECT first, bytes, object FROM upload_parts WHERE upload_id = $1 ORDER BY first`, []any{u.ID},
			func(r row) (p meta.UploadPart, err error) { return p, r.Scan(&p.First, &p.Bytes, &p.Object) })
		return err
	})
	return u, err
}

// Uploads implements meta.Reader.
func (q queries) Uploads(ctx context.Context, scope audience.Scope) ([]meta.Upload, error) {
	return list(ctx, q, "the uploads", `SELECT `+uploadColumns+` FROM uploads WHERE org = $1 AND sandbox = $2 ORDER BY name COLLATE "C"`,
		[]any{scope.Org, scope.Sandbox}, scanUpload)
}

// UploadsBefore implements meta.Reader.
func (q queries) UploadsBefore(ctx context.Context, before time.Time) ([]meta.Upload, error) {
	return list(ctx, q, "the old uploads", `SELECT `+uploadColumns+` FROM uploads WHERE updated_at < $1 ORDER BY updated_at, id`, []any{asTime(&before)}, scanUpload)
}

// UploadObjects implements meta.Reader.
func (q queries) UploadObjects(ctx context.Context, objects []string) (found []string, err error) {
	for some := range slices.Chunk(objects, idsAtOnce) {
		args := make([]any, len(some))
		for i, o := range some {
			args[i] = o
		}
		part, err := list(ctx, q, "the parts of uploads", `SELECT object FROM upload_parts WHERE object IN (`+placeholders(1, len(some))+`)`, args, value[string])
		if err != nil {
			return nil, err
		}
		found = append(found, part...)
	}
	return found, nil
}

func (t *tx) CreateUpload(ctx context.Context, u meta.Upload) error {
	_, err := t.exec(ctx, "the upload", `DELETE FROM uploads WHERE org = $1 AND sandbox = $2 AND name = $3`, u.Scope.Org, u.Scope.Sandbox, u.Name)
	if err != nil {
		return err
	}
	err = t.insert(ctx, "the upload", "uploads", uploadColumns, u.ID, u.Scope.Org, u.Scope.Sandbox, u.Name, u.Size, hex.EncodeToString(u.SHA256), u.Received, asTime(&u.UpdatedAt))
	for _, p := range u.Parts {
		if err != nil {
			break
		}
		err = t.putUploadPart(ctx, u.ID, p)
	}
	return err
}

func (t *tx) putUploadPart(ctx context.Context, upload string, p meta.UploadPart) error {
	_, err := t.exec(ctx, "the part of the upload", `INSERT INTO upload_parts (upload_id, first, bytes, object) VALUES ($1, $2, $3, $4)
		ON CONFLICT (upload_id, first) DO UPDATE SET bytes = excluded.bytes, object = excluded.object`, upload, p.First, p.Bytes, p.Object)
	return err
}

func (t *tx) AddUploadPart(ctx context.Context, u meta.Upload, p meta.UploadPart, at time.Time) error {
	err := t.must(ctx, meta.ErrStale, "the upload", `UPDATE uploads SET received = $1, updated_at = $2 WHERE id = $3 AND received = $4`,
		p.First+p.Bytes, asTime(&at), u.ID, u.Received)
	if err != nil {
		return err
	}
	return t.putUploadPart(ctx, u.ID, p)
}

func (t *tx) DeleteUpload(ctx context.Context, u meta.Upload) error {
	return t.must(ctx, meta.ErrStale, "the upload", `DELETE FROM uploads WHERE id = $1 AND received = $2`, u.ID, u.Received)
}

const holdColumns = `id, org, sandbox, name, bytes, begun, ended, measuring, lease_until`

// QuotaHolds implements meta.Tx.
func (t *tx) QuotaHolds(ctx context.Context, scope audience.Scope) ([]meta.QuotaHold, error) {
	return list(ctx, t.queries, "the holds of the quota", `SELECT `+holdColumns+` FROM quota_holds WHERE org = $1 AND sandbox = $2 ORDER BY id`,
		[]any{scope.Org, scope.Sandbox}, func(r row) (h meta.QuotaHold, err error) {
			return h, r.Scan(&h.ID, &h.Scope.Org, &h.Scope.Sandbox, &h.Name, &h.Bytes, &h.Begun, &h.Ended, &h.Measuring, asTime(&h.LeaseUntil))
		})
}

func (t *tx) SaveQuotaHold(ctx context.Context, h meta.QuotaHold) error {
	_, err := t.exec(ctx, "the hold of the quota", `INSERT INTO quota_holds (`+holdColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (id) DO UPDATE SET bytes = excluded.bytes, begun = excluded.begun, ended = excluded.ended, measuring = excluded.measuring, lease_until = excluded.lease_until`,
		h.ID, h.Scope.Org, h.Scope.Sandbox, h.Name, h.Bytes, h.Begun, h.Ended, h.Measuring, asTime(&h.LeaseUntil))
	return err
}

func (t *tx) DeleteQuotaHold(ctx context.Context, id string) error {
	_, err := t.exec(ctx, "the hold of the quota", `DELETE FROM quota_holds WHERE id = $1`, id)
	return err
}
