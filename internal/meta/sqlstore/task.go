package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"roster/internal/audience"
	"roster/internal/meta"
)

const taskColumns = `id, org, sandbox, status, audience_id, draft, error, created_at, updated_at, warnings`

func scanTask(r row) (t audience.Task, err error) {
	return t, r.Scan(&t.ID, &t.Scope.Org, &t.Scope.Sandbox, &t.Status, &t.AudienceID, asJSON(&t.Draft), asJSON(&t.Error),
		asTime(&t.CreatedAt), asTime(&t.UpdatedAt), asJSON(&t.Warnings))
}

// Task implements meta.Reader.
func (q queries) Task(ctx context.Context, scope audience.Scope, id audience.TaskID) (audience.Task, error) {
	return one(ctx, q, "the task", `SELECT `+taskColumns+` FROM tasks WHERE id = $1 AND org = $2 AND sandbox = $3`,
		[]any{id, scope.Org, scope.Sandbox}, scanTask)
}

func (t *tx) CreateTask(ctx context.Context, task audience.Task) error {
	for _, n := range []struct{ kind, name string }{{meta.FieldName, task.Draft.Name}, {meta.FieldCustomID, task.Draft.CustomID}} {
		if n.name == "" {
			continue
		}
		if err := t.reserveName(ctx, task.Scope, n.kind, n.name, task.AudienceID); err != nil {
			return err
		}
	}
	publicKey, verificationKey := keysOf(task.Draft.Source)
	return t.insert(ctx, "the task", "tasks", taskColumns+", connection_id, public_key_id, verification_key_id",
		task.ID, task.Scope.Org, task.Scope.Sandbox, audience.Processing, task.AudienceID, asJSON(&task.Draft), asJSON(&task.Error),
		asTime(&task.CreatedAt), asTime(&task.UpdatedAt), asJSON(&task.Warnings), task.Draft.Source.BaseConnectionID, publicKey, verificationKey)
}

// reserveName reserves a name of a kind for an audience. The error is a *meta.DuplicateError if another audience has
// the name.
func (t *tx) reserveName(ctx context.Context, scope audience.Scope, kind, name string, id audience.ID) error {
	err := t.insert(ctx, kind, "names", "org, sandbox, kind, name, audience_id", scope.Org, scope.Sandbox, kind, name, id)
	if errors.Is(err, meta.ErrDuplicate) {
		return &meta.DuplicateError{Field: kind}
	}
	return err
}

func (t *tx) FinishTask(ctx context.Context, task audience.Task) error {
	if task.Status == audience.Processing {
		return fmt.Errorf("finish task %s: it is still %s", task.ID, task.Status)
	}
	err := t.must(ctx, meta.ErrStale, "the task", `UPDATE tasks SET status = $1, draft = $2, error = $3, updated_at = $4,
		lease_owner = '', lease_until = 0, warnings = $5 WHERE id = $6 AND status = 'PROCESSING'`,
		task.Status, asJSON(&task.Draft), asJSON(&task.Error), asTime(&task.UpdatedAt), asJSON(&task.Warnings), task.ID)
	if err != nil {
		return err
	}
	stored, err := one(ctx, t.queries, "the task", `SELECT `+taskColumns+` FROM tasks WHERE id = $1`, []any{task.ID}, scanTask)
	if err != nil {
		return err
	}
	if task.Status != audience.Success {
		return t.freeNames(ctx, stored.AudienceID)
	}
	a := task.Draft
	a.ID, a.Scope, a.TaskID = stored.AudienceID, stored.Scope, stored.ID
	return t.createAudience(ctx, a)
}

func (t *tx) freeNames(ctx context.Context, id audience.ID) error {
	_, err := t.exec(ctx, "the audience's names", `DELETE FROM names WHERE audience_id = $1`, id)
	return err
}

func (t *tx) AcquireTask(ctx context.Context, id audience.TaskID, worker string, now, until time.Time) (audience.Task, error) {
	if err := t.acquire(ctx, "tasks", string(id), worker, now, until); err != nil {
		return audience.Task{}, fmt.Errorf("the task: %w", err)
	}
	return one(ctx, t.queries, "the task", `SELECT `+taskColumns+` FROM tasks WHERE id = $1`, []any{id}, scanTask)
}

// acquire acquires or renews the lease of a task or a run.
func (t *tx) acquire(ctx context.Context, table, id, worker string, now, until time.Time) error {
	n, err := t.exec(ctx, "the lease", `UPDATE `+table+` SET lease_owner = $1, lease_until = $2
		WHERE id = $3 AND status = 'PROCESSING' AND (lease_owner = $1 OR lease_until <= $4)`, worker, asTime(&until), id, asTime(&now))
	if err != nil || n == 1 {
		return err
	}
	status, err := one(ctx, t.queries, "the lease", `SELECT status FROM `+table+` WHERE id = $1`, []any{id}, value[audience.Status])
	if err != nil {
		return err
	}
	if status != audience.Processing {
		return meta.ErrStale
	}
	return meta.ErrLeaseHeld
}

func (t *tx) EndLeases(ctx context.Context) error {
	for _, table := range []string{"tasks", "runs"} {
		if _, err := t.exec(ctx, "the leases", `UPDATE `+table+` SET lease_owner = '', lease_until = 0 WHERE status = 'PROCESSING'`); err != nil {
			return err
		}
	}
	_, err := t.exec(ctx, "the holds of quotas", `DELETE FROM quota_holds`)
	return err
}

// UnfinishedRun implements meta.Reader.
func (q queries) UnfinishedRun(ctx context.Context, id audience.RunID) (audience.Run, error) {
	return one(ctx, q, "the run", selectRuns+` WHERE r.id = $1 AND r.status = 'PROCESSING' AND NOT a.deleted`, []any{id}, scanRun)
}

// UnfinishedTask implements meta.Reader.
func (q queries) UnfinishedTask(ctx context.Context, id audience.TaskID) (audience.Task, error) {
	return one(ctx, q, "the task", `SELECT `+taskColumns+` FROM tasks WHERE id = $1 AND status = 'PROCESSING'`, []any{id}, scanTask)
}

// UnfinishedIn implements meta.Reader.
func (q queries) UnfinishedIn(ctx context.Context, scope audience.Scope) (tasks, runs int, err error) {
	type counts struct{ tasks, runs int }
	found, err := one(ctx, q, "the unfinished work of a sandbox", `SELECT
		(SELECT COUNT(*) FROM tasks WHERE status = 'PROCESSING' AND org = $1 AND sandbox = $2),
		(SELECT COUNT(*) FROM runs r JOIN audiences a ON a.id = r.audience_id WHERE r.status = 'PROCESSING' AND a.org = $1 AND a.sandbox = $2 AND NOT a.deleted)`,
		[]any{scope.Org, scope.Sandbox}, func(r row) (c counts, err error) { return c, r.Scan(&c.tasks, &c.runs) })
	return found.tasks, found.runs, err
}

// Unfinished implements meta.Reader.
func (q queries) Unfinished(ctx context.Context, now time.Time) (tasks []audience.Task, runs []audience.Run, err error) {
	err = q.view(ctx, func(q queries) error {
		tasks, err = list(ctx, q, "the unfinished tasks", `SELECT `+taskColumns+` FROM tasks
			WHERE status = 'PROCESSING' AND lease_until <= $1 ORDER BY created_at, id`, []any{asTime(&now)}, scanTask)
		if err != nil {
			return err
		}
		runs, err = list(ctx, q, "the unfinished runs", selectRuns+`
			WHERE r.status = 'PROCESSING' AND r.lease_until <= $1 AND NOT a.deleted ORDER BY r.created_at, r.id`, []any{asTime(&now)}, scanRun)
		return err
	})
	return tasks, runs, err
}
