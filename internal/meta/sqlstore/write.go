package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"roster/internal/audience"
	"roster/internal/meta"
)

// tx implements meta.Tx.
type tx struct {
	queries
	sql *sql.Tx
}

var _ meta.Tx = (*tx)(nil)

func (t *tx) SQL() *sql.Tx { return t.sql }

func (t *tx) CreateOrganization(ctx context.Context, org string) error {
	_, err := t.exec(ctx, "the organization", `INSERT INTO organizations (org) VALUES ($1)`, org)
	return err
}

func (t *tx) CreateSandbox(ctx context.Context, s *audience.Sandbox) error {
	_, err := t.exec(ctx, "the sandbox", `INSERT INTO sandboxes (id, org, name, title, type, is_default, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		s.ID, s.Org, s.Name, s.Title, s.Type, s.Default, micros(s.CreatedAt))
	if err != nil {
		return err
	}
	return t.one(ctx, "the sandbox", `SELECT num FROM sandboxes WHERE id = $1`, []any{s.ID}, &s.Num)
}

func (t *tx) CreateClient(ctx context.Context, c audience.Client) error {
	_, err := t.exec(ctx, "the API client", `INSERT INTO clients (id, org, name, secret_hash, roles, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		c.ID, c.Org, c.Name, c.SecretHash, toJSON(c.Roles), micros(c.CreatedAt))
	return err
}

func (t *tx) CreateConnection(ctx context.Context, c audience.Connection) error {
	_, err := t.exec(ctx, "the connection", `INSERT INTO connections (id, org, sandbox, name, name_key, doc, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		c.ID, c.Scope.Org, c.Scope.Sandbox, c.Name, strings.ToLower(c.Name), toJSON(c), micros(c.CreatedAt))
	return err
}

func (t *tx) DeleteConnection(ctx context.Context, scope audience.Scope, id audience.ConnectionID) error {
	return t.mustTouch(ctx, meta.ErrNotFound, "the connection", `DELETE FROM connections WHERE id = $1 AND org = $2 AND sandbox = $3`, id, scope.Org, scope.Sandbox)
}

func (t *tx) CreateNamespace(ctx context.Context, org string, n *audience.Namespace) error {
	key := strings.ToLower(n.Code)
	_, err := t.exec(ctx, "the namespace", `INSERT INTO namespaces (org, code, code_key, doc) VALUES ($1, $2, $3, $4)`, org, n.Code, key, toJSON(n))
	if err != nil {
		return err
	}
	var num int
	err = t.one(ctx, "the namespace", `SELECT num FROM namespaces WHERE org = $1 AND code_key = $2`, []any{org, key}, &num)
	n.ID = namespaceBase + num
	return err
}

// Kinds of names.
const (
	kindName   = "name"
	kindCustom = "customAudienceId"
)

func (t *tx) CreateTask(ctx context.Context, task audience.Task) error {
	for _, n := range [][2]string{{kindName, task.Draft.Name}, {kindCustom, task.Draft.CustomID}} {
		if n[1] == "" {
			continue
		}
		_, err := t.exec(ctx, n[0], `INSERT INTO names (org, sandbox, kind, name, audience_id) VALUES ($1, $2, $3, $4, $5)`,
			task.Scope.Org, task.Scope.Sandbox, n[0], n[1], task.AudienceID)
		if err != nil {
			return err
		}
	}
	_, err := t.exec(ctx, "the task", `INSERT INTO tasks (id, org, sandbox, status, connection_id, doc) VALUES ($1, $2, $3, $4, $5, $6)`,
		task.ID, task.Scope.Org, task.Scope.Sandbox, task.Status, task.Draft.Source.BaseConnectionID, toJSON(task))
	return err
}

func (t *tx) FinishTask(ctx context.Context, task audience.Task) error {
	err := t.mustTouch(ctx, meta.ErrStale, "the task", `UPDATE tasks SET status = $1, doc = $2, lease_until = 0 WHERE id = $3 AND status = 'PROCESSING'`,
		task.Status, toJSON(task), task.ID)
	if err != nil {
		return err
	}
	if task.Status != audience.Success {
		return t.freeNames(ctx, task.AudienceID)
	}
	a := task.Draft
	_, err = t.exec(ctx, "the audience", `INSERT INTO audiences (id, org, sandbox, name, connection_id, doc, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		a.ID, a.Scope.Org, a.Scope.Sandbox, a.Name, a.Source.BaseConnectionID, toJSON(a), micros(a.CreatedAt))
	return err
}

func (t *tx) freeNames(ctx context.Context, id audience.ID) error {
	_, err := t.exec(ctx, "the audience's names", `DELETE FROM names WHERE audience_id = $1`, id)
	return err
}

func (t *tx) AcquireTask(ctx context.Context, id audience.TaskID, worker string, now, until time.Time) (task audience.Task, err error) {
	if err := t.acquire(ctx, "tasks", string(id), worker, now, until); err != nil {
		return task, err
	}
	err = t.one(ctx, "the task", `SELECT doc FROM tasks WHERE id = $1`, []any{id}, doc[audience.Task]{&task})
	return task, err
}

// acquire takes or renews the lease of a task or a run.
func (t *tx) acquire(ctx context.Context, table, id, worker string, now, until time.Time) error {
	n, err := t.exec(ctx, "the lease", `UPDATE `+table+` SET lease_owner = $1, lease_until = $2 WHERE id = $3 AND status = 'PROCESSING' AND (lease_owner = $1 OR lease_until < $4)`,
		worker, micros(until), id, micros(now))
	if err != nil || n == 1 {
		return err
	}
	var status string
	if err := t.one(ctx, "the lease", `SELECT status FROM `+table+` WHERE id = $1`, []any{id}, &status); err != nil {
		return err
	}
	if status != string(audience.Processing) {
		return fmt.Errorf("the lease: the work has ended: %w", meta.ErrStale)
	}
	return meta.ErrLeaseHeld
}

func (t *tx) UpdateAudience(ctx context.Context, a audience.Audience) error {
	old, err := t.Audience(ctx, a.Scope, a.ID)
	if err != nil {
		return err
	}
	old.Description, old.Fields, old.Labels, old.TTLDays = a.Description, a.Fields, a.Labels, a.TTLDays
	old.UpdatedBy, old.UpdatedAt = a.UpdatedBy, a.UpdatedAt
	return t.saveAudience(ctx, old)
}

func (t *tx) saveAudience(ctx context.Context, a audience.Audience) error {
	return t.mustTouch(ctx, meta.ErrNotFound, "the audience", `UPDATE audiences SET doc = $1 WHERE id = $2 AND deleted_at = 0`, toJSON(a), a.ID)
}

func (t *tx) DeleteAudience(ctx context.Context, scope audience.Scope, id audience.ID) error {
	err := t.mustTouch(ctx, meta.ErrNotFound, "the audience", `UPDATE audiences SET deleted_at = $1 WHERE id = $2 AND org = $3 AND sandbox = $4 AND deleted_at = 0`,
		micros(time.Now()), id, scope.Org, scope.Sandbox)
	if err != nil {
		return err
	}
	if _, err := t.exec(ctx, "the runs", `UPDATE runs SET status = 'FAILED' WHERE audience_id = $1 AND status = 'PROCESSING'`, id); err != nil {
		return err
	}
	return t.freeNames(ctx, id)
}

func (t *tx) CreateRun(ctx context.Context, r *audience.Run) error {
	a, err := t.Audience(ctx, r.Scope, r.AudienceID)
	if err != nil {
		return err
	}
	var open int
	if err := t.one(ctx, "the runs", `SELECT COALESCE(MAX(seq), 0) + 1, COALESCE(SUM(CASE WHEN status = 'PROCESSING' THEN 1 ELSE 0 END), 0) FROM runs WHERE audience_id = $1`,
		[]any{r.AudienceID}, &r.Seq, &open); err != nil {
		return err
	}
	if open > 0 {
		return meta.ErrRunInProgress
	}
	r.AudienceName = a.Name
	_, err = t.exec(ctx, "the run", `INSERT INTO runs (id, audience_id, seq, status, created_at, flow_id, doc) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		r.ID, r.AudienceID, r.Seq, r.Status, micros(r.CreatedAt), r.FlowID, toJSON(r))
	if errors.Is(err, meta.ErrDuplicate) {
		return meta.ErrRunInProgress // another process was quicker
	}
	if err != nil {
		return err
	}
	for _, st := range r.Stages {
		if _, err := t.exec(ctx, "the flow run", `INSERT INTO run_flows (flow_run_id, run_id) VALUES ($1, $2)`, st.FlowRunID, r.ID); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) AcquireRun(ctx context.Context, id audience.RunID, worker string, now, until time.Time) (audience.Run, error) {
	if err := t.acquire(ctx, "runs", string(id), worker, now, until); err != nil {
		return audience.Run{}, err
	}
	return t.run(ctx, `r.id = $1`, id)
}

func (t *tx) SaveRun(ctx context.Context, r audience.Run, worker string) error {
	return t.mustTouch(ctx, meta.ErrStale, "the run", `UPDATE runs SET status = $1, doc = $2 WHERE id = $3 AND status = 'PROCESSING' AND lease_owner = $4`,
		r.Status, toJSON(r), r.ID, worker)
}

func (t *tx) FinishRun(ctx context.Context, r audience.Run, worker string) error {
	if err := t.SaveRun(ctx, r, worker); err != nil || r.Status != audience.Success {
		return err
	}
	if err := t.recordRead(ctx, r); err != nil {
		return err
	}
	a, err := t.Audience(ctx, r.Scope, r.AudienceID)
	if err != nil {
		return err
	}
	a.LastRun, a.Members, a.LastIngestedAt = r.ID, r.Result.Members.After, r.CreatedAt
	if !r.Request.Differential {
		a.RefreshedAt = r.CreatedAt
	}
	return t.saveAudience(ctx, a)
}

// recordRead remembers the objects that the run read, in that version.
func (t *tx) recordRead(ctx context.Context, r audience.Run) error {
	const batch = 200
	var values []string
	args := []any{r.AudienceID}
	flush := func() error {
		if len(values) == 0 {
			return nil
		}
		_, err := t.exec(ctx, "the objects read", `INSERT INTO read_objects (audience_id, path, version) VALUES `+strings.Join(values, ", ")+` ON CONFLICT DO NOTHING`, args...)
		values, args = values[:0], args[:1]
		return err
	}
	for _, f := range r.Result.Files {
		if f.Status != audience.FileRead {
			continue
		}
		n := len(args)
		values = append(values, fmt.Sprintf("($1, $%d, $%d)", n+1, n+2))
		args = append(args, f.Path, f.Version)
		if len(values) == batch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

func (t *tx) DropLeases(ctx context.Context) error {
	for _, table := range []string{"tasks", "runs"} {
		if _, err := t.exec(ctx, "the leases", `UPDATE `+table+` SET lease_until = 0 WHERE status = 'PROCESSING'`); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) MarkSwept(ctx context.Context, id audience.ID) error {
	if _, err := t.exec(ctx, "the objects read", `DELETE FROM read_objects WHERE audience_id = $1`, id); err != nil {
		return err
	}
	_, err := t.exec(ctx, "the audience", `UPDATE audiences SET swept_at = $1 WHERE id = $2`, micros(time.Now()), id)
	return err
}
