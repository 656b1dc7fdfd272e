package sqlstore

import (
	"cmp"
	"context"
	"errors"
	"time"

	"roster/internal/audience"
	"roster/internal/meta"
)

const audienceColumns = `id, num, org, sandbox, task_id, custom_id, name, description, fields, source, ttl_days, labels, tags,
	audience_type, origin_name, namespace, profile_ingestion, created_by, created_at, updated_by, updated_at,
	last_run, members, refreshed_at, last_ingested_at, guards, keep_rejected_rows, maintained_at, lifecycle_state, schedule, next_run_at, schedule_tried, schedule_note, no_payload, express_activation`

func scanAudience(r row) (a audience.Audience, err error) {
	return a, r.Scan(&a.ID, &a.Num, &a.Scope.Org, &a.Scope.Sandbox, &a.TaskID, &a.CustomID, &a.Name, &a.Description,
		asJSON(&a.Fields), asJSON(&a.Source), &a.TTLDays, asJSON(&a.Labels), asJSON(&a.Tags), &a.AudienceType, &a.OriginName,
		&a.Namespace, &a.ProfileIngestion, &a.CreatedBy, asTime(&a.CreatedAt), &a.UpdatedBy, asTime(&a.UpdatedAt),
		&a.LastRun, &a.Members, asTime(&a.RefreshedAt), asTime(&a.LastIngestedAt),
		asJSON(&a.Guards), &a.KeepRejectedRows, asTime(&a.MaintainedAt), &a.State,
		asJSON(&a.Schedule), asTime(&a.NextRunAt), &a.ScheduleTried, &a.ScheduleNote, &a.NoPayload, &a.ExpressActivation)
}

// Audience implements meta.Reader.
func (q queries) Audience(ctx context.Context, scope audience.Scope, id audience.ID) (audience.Audience, error) {
	return one(ctx, q, "the audience", `SELECT `+audienceColumns+` FROM audiences WHERE id = $1 AND org = $2 AND sandbox = $3 AND NOT deleted`,
		[]any{id, scope.Org, scope.Sandbox}, scanAudience)
}

// AudienceByNum implements meta.Reader.
func (q queries) AudienceByNum(ctx context.Context, num uint32) (audience.Audience, error) {
	return one(ctx, q, "the audience", `SELECT `+audienceColumns+` FROM audiences WHERE num = $1 AND NOT deleted`,
		[]any{int64(num)}, scanAudience)
}

// createAudience assigns a number to the audience and, unless it is a draft, publishes it. Its names are already
// reserved.
func (t *tx) createAudience(ctx context.Context, a audience.Audience) error {
	num, err := t.next(ctx, "audience")
	if err != nil {
		return err
	}
	set, err := t.keepLabelSet(ctx, a.Scope.Org, a.Labels)
	if err != nil {
		return err
	}
	if err := t.countAudiences(ctx, a.Scope, set, 1); err != nil {
		return err
	}
	publicKey, verificationKey := keysOf(a.Source)
	return t.insert(ctx, "the audience", "audiences", audienceColumns+", connection_id, name_key, description_key, flow_id, label_set, public_key_id, verification_key_id",
		a.ID, num, a.Scope.Org, a.Scope.Sandbox, a.TaskID, a.CustomID, a.Name, a.Description,
		asJSON(&a.Fields), asJSON(&a.Source), a.TTLDays, asJSON(&a.Labels), asJSON(&a.Tags), a.AudienceType, a.OriginName,
		a.Namespace, a.ProfileIngestion, a.CreatedBy, asTime(&a.CreatedAt), a.UpdatedBy, asTime(&a.UpdatedAt),
		a.LastRun, a.Members, asTime(&a.RefreshedAt), asTime(&a.LastIngestedAt),
		asJSON(&a.Guards), a.KeepRejectedRows, asTime(&a.MaintainedAt), cmp.Or(a.State, audience.StatePublished), asJSON(&a.Schedule), asTime(&a.NextRunAt), a.ScheduleTried, a.ScheduleNote, a.NoPayload, a.ExpressActivation,
		a.Source.BaseConnectionID, fold(a.Name), fold(a.Description), audience.FlowID(a.ID), set, publicKey, verificationKey)
}

func (t *tx) UpdateAudience(ctx context.Context, a audience.Audience) error {
	was, err := t.labelSetOf(ctx, a.Scope, a.ID)
	if err != nil {
		return err
	}
	if err := t.rename(ctx, a); err != nil {
		return err
	}
	set, err := t.keepLabelSet(ctx, a.Scope.Org, a.Labels)
	if err != nil {
		return err
	}
	if set != was {
		if err := errors.Join(t.countAudiences(ctx, a.Scope, was, -1), t.countAudiences(ctx, a.Scope, set, 1)); err != nil {
			return err
		}
	}
	publicKey, verificationKey := keysOf(a.Source)
	return t.must(ctx, meta.ErrNotFound, "the audience", `UPDATE audiences SET description = $1, description_key = $2, fields = $3, labels = $4,
		tags = $5, ttl_days = $6, guards = $7, lifecycle_state = $8, keep_rejected_rows = $9, schedule = $10, next_run_at = $11, schedule_tried = $12,
		updated_by = $13, updated_at = $14, label_set = $15, name = $19, name_key = $20, schedule_note = $21, no_payload = $22,
		source = $23, connection_id = $24, public_key_id = $25, verification_key_id = $26 WHERE id = $16 AND org = $17 AND sandbox = $18 AND NOT deleted`,
		a.Description, fold(a.Description), asJSON(&a.Fields), asJSON(&a.Labels), asJSON(&a.Tags), a.TTLDays, asJSON(&a.Guards),
		a.State, a.KeepRejectedRows, asJSON(&a.Schedule), asTime(&a.NextRunAt), a.ScheduleTried, a.UpdatedBy, asTime(&a.UpdatedAt), set, a.ID, a.Scope.Org, a.Scope.Sandbox, a.Name, fold(a.Name), a.ScheduleNote, a.NoPayload,
		asJSON(&a.Source), a.Source.BaseConnectionID, publicKey, verificationKey)
}

// rename reserves the audience's new name and frees the old one. It does nothing if the name is the same.
func (t *tx) rename(ctx context.Context, a audience.Audience) error {
	held, err := list(ctx, t.queries, "the audience's name", `SELECT name FROM names WHERE kind = $1 AND audience_id = $2`, []any{meta.FieldName, a.ID}, value[string])
	if err != nil || len(held) == 1 && held[0] == a.Name {
		return err
	}
	if err := t.reserveName(ctx, a.Scope, meta.FieldName, a.Name, a.ID); err != nil {
		return err
	}
	_, err = t.exec(ctx, "the audience's name", `DELETE FROM names WHERE kind = $1 AND audience_id = $2 AND name <> $3`, meta.FieldName, a.ID, a.Name)
	return err
}

// labelSetOf returns the set of an audience's labels.
func (t *tx) labelSetOf(ctx context.Context, scope audience.Scope, id audience.ID) (string, error) {
	return one(ctx, t.queries, "the audience", `SELECT label_set FROM audiences WHERE id = $1 AND org = $2 AND sandbox = $3 AND NOT deleted`,
		[]any{id, scope.Org, scope.Sandbox}, value[string])
}

func (t *tx) MarkScheduled(ctx context.Context, id audience.ID, next time.Time, tried, note string) error {
	return t.must(ctx, meta.ErrNotFound, "the audience", `UPDATE audiences SET next_run_at = $1, schedule_tried = $2, schedule_note = $3 WHERE id = $4 AND NOT deleted`,
		asTime(&next), tried, note, id)
}

// Scheduled implements meta.Reader.
func (q queries) Scheduled(ctx context.Context, now time.Time, limit int) ([]uint32, error) {
	return list(ctx, q, "the audiences whose schedule is due", `SELECT num FROM audiences
		WHERE next_run_at > 0 AND next_run_at <= $1 AND NOT deleted ORDER BY next_run_at LIMIT $2`, []any{asTime(&now), limit}, value[uint32])
}

func (t *tx) MarkMaintained(ctx context.Context, id audience.ID, at time.Time) error {
	return t.must(ctx, meta.ErrNotFound, "the audience", `UPDATE audiences SET maintained_at = $1 WHERE id = $2 AND NOT deleted`, asTime(&at), id)
}

// Unmaintained implements meta.Reader.
func (q queries) Unmaintained(ctx context.Context, before time.Time, limit int) ([]audience.Audience, error) {
	return list(ctx, q, "the audiences to maintain", `SELECT `+audienceColumns+` FROM audiences
		WHERE maintained_at <= $1 AND last_run <> '' AND NOT deleted ORDER BY maintained_at, num LIMIT $2`,
		[]any{asTime(&before), limit}, scanAudience)
}

func (t *tx) DeleteAudience(ctx context.Context, scope audience.Scope, id audience.ID) error {
	set, err := t.labelSetOf(ctx, scope, id)
	if err != nil {
		return err
	}
	err = t.must(ctx, meta.ErrNotFound, "the audience", `UPDATE audiences SET deleted = TRUE
		WHERE id = $1 AND org = $2 AND sandbox = $3 AND NOT deleted`, id, scope.Org, scope.Sandbox)
	if err != nil {
		return err
	}
	if err := t.countAudiences(ctx, scope, set, -1); err != nil {
		return err
	}
	_, err = t.exec(ctx, "the audience's runs", `UPDATE runs SET status = 'FAILED', lease_owner = '', lease_until = 0
		WHERE audience_id = $1 AND status = 'PROCESSING'`, id)
	if err != nil {
		return err
	}
	return t.freeNames(ctx, id)
}

// AwaitingCleanup implements meta.Reader.
func (q queries) AwaitingCleanup(ctx context.Context) ([]meta.DeletedAudience, error) {
	return list(ctx, q, "the deleted audiences", `SELECT a.id, a.num, a.org, a.sandbox, s.num FROM audiences a
		JOIN sandboxes s ON s.org = a.org AND s.name = a.sandbox WHERE a.deleted AND NOT a.swept ORDER BY a.num`, nil,
		func(r row) (d meta.DeletedAudience, err error) {
			return d, r.Scan(&d.ID, &d.Num, &d.Scope.Org, &d.Scope.Sandbox, &d.SandboxNum)
		})
}

// MarkCleanedUp also removes rows that only a live audience needs. The rows of the audience and its runs stay: their
// numbers and ids are never reused, and a late update of a run finds that it has ended.
func (t *tx) MarkCleanedUp(ctx context.Context, id audience.ID) error {
	err := t.must(ctx, meta.ErrNotFound, "the deleted audience", `UPDATE audiences SET swept = TRUE WHERE id = $1 AND deleted`, id)
	if err != nil {
		return err
	}
	for _, from := range []string{
		`read_objects WHERE audience_id = $1`,
		`run_plans WHERE run_id IN (SELECT id FROM runs WHERE audience_id = $1)`,
		`run_files WHERE run_id IN (SELECT id FROM runs WHERE audience_id = $1)`,
		`run_progress WHERE run_id IN (SELECT id FROM runs WHERE audience_id = $1)`,
		`run_flows WHERE run_id IN (SELECT id FROM runs WHERE audience_id = $1)`,
	} {
		if _, err := t.exec(ctx, "the deleted audience", `DELETE FROM `+from, id); err != nil {
			return err
		}
	}
	return nil
}
