package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"roster/internal/audience"
	"roster/internal/meta"
)

// runColumns are what scanRun reads, but for the manifest and the files at the end.
const runColumns = `r.id, a.org, a.sandbox, r.audience_id, a.name, r.seq, r.request, r.status, r.created_by, r.created_at, r.updated_at,
	r.ended_at, r.flow_id, r.stages, r.result, r.error, r.progress`

// selectRuns reads runs without their manifests, and without their files when these are many; selectRun reads a run whole.
const (
	selectRuns = `SELECT ` + runColumns + `, 'null', COALESCE((SELECT files FROM run_files f WHERE f.run_id = r.id AND OCTET_LENGTH(files) <= 65536), 'null')
		FROM runs r JOIN audiences a ON a.id = r.audience_id`
	selectRun = `SELECT ` + runColumns + `, COALESCE(p.planned, 'null'), COALESCE(f.files, 'null') FROM runs r JOIN audiences a ON a.id = r.audience_id
		LEFT JOIN run_plans p ON p.run_id = r.id LEFT JOIN run_files f ON f.run_id = r.id`
)

func scanRun(r row) (run audience.Run, err error) {
	var files []audience.FileResult
	err = r.Scan(&run.ID, &run.Scope.Org, &run.Scope.Sandbox, &run.AudienceID, &run.AudienceName, &run.Seq, asJSON(&run.Request),
		&run.Status, &run.CreatedBy, asTime(&run.CreatedAt), asTime(&run.UpdatedAt), asTime(&run.EndedAt), &run.FlowID,
		asJSON(&run.Stages), asJSON(&run.Result), asJSON(&run.Error), asJSON(&run.Progress), asJSON(&run.Planned), asJSON(&files))
	if files != nil { // those of runs that were stored before files lay apart are in the result
		run.Result.Files = files
	}
	return run, err
}

// Run implements meta.Reader.
func (q queries) Run(ctx context.Context, scope audience.Scope, aud audience.ID, id audience.RunID) (audience.Run, error) {
	return one(ctx, q, "the run", selectRun+` WHERE r.id = $1 AND r.audience_id = $2 AND a.org = $3 AND a.sandbox = $4 AND NOT a.deleted`,
		[]any{id, aud, scope.Org, scope.Sandbox}, scanRun)
}

// RunBySeq implements meta.Reader.
func (q queries) RunBySeq(ctx context.Context, scope audience.Scope, aud audience.ID, seq int64) (audience.Run, error) {
	return one(ctx, q, "the run", selectRun+` WHERE r.audience_id = $1 AND r.seq = $2 AND a.org = $3 AND a.sandbox = $4 AND NOT a.deleted`,
		[]any{aud, seq, scope.Org, scope.Sandbox}, scanRun)
}

func (t *tx) CreateRun(ctx context.Context, r *audience.Run) error {
	type parent struct {
		name string
		seq  int64
	}
	a, err := one(ctx, t.queries, "the audience", `SELECT name, last_seq FROM audiences WHERE id = $1 AND org = $2 AND sandbox = $3 AND NOT deleted`,
		[]any{r.AudienceID, r.Scope.Org, r.Scope.Sandbox}, func(r row) (p parent, err error) { return p, r.Scan(&p.name, &p.seq) })
	if err != nil {
		return err
	}
	seq, result := a.seq+1, withoutFiles(r)
	err = t.insert(ctx, "the run", "runs", `id, audience_id, seq, request, status, created_by, created_at, updated_at, ended_at, flow_id,
		stages, result, error, progress`,
		r.ID, r.AudienceID, seq, asJSON(&r.Request), audience.Processing, r.CreatedBy, asTime(&r.CreatedAt), asTime(&r.UpdatedAt),
		asTime(&r.EndedAt), r.FlowID, asJSON(&r.Stages), asJSON(&result), asJSON(&r.Error), asJSON(&r.Progress))
	if errors.Is(err, meta.ErrDuplicate) {
		return t.whyNoRun(ctx, r.ID)
	}
	if err != nil {
		return err
	}
	if _, err := t.exec(ctx, "the audience", `UPDATE audiences SET last_seq = $1 WHERE id = $2`, seq, r.AudienceID); err != nil {
		return err
	}
	r.Seq, r.AudienceName, r.Status = seq, a.name, audience.Processing
	return t.saveParts(ctx, *r)
}

// whyNoRun says which uniqueness a new run broke.
func (t *tx) whyNoRun(ctx context.Context, id audience.RunID) error {
	_, err := one(ctx, t.queries, "the run", `SELECT 1 FROM runs WHERE id = $1`, []any{id}, value[int])
	switch {
	case errors.Is(err, meta.ErrNotFound):
		return meta.ErrRunInProgress
	case err != nil:
		return err
	}
	return fmt.Errorf("the run: %w", meta.ErrDuplicate)
}

func (t *tx) AcquireRun(ctx context.Context, id audience.RunID, worker string, now, until time.Time) (audience.Run, error) {
	if err := t.acquire(ctx, "runs", string(id), worker, now, until); err != nil {
		return audience.Run{}, fmt.Errorf("the run: %w", err)
	}
	return t.runByID(ctx, id)
}

func (t *tx) runByID(ctx context.Context, id audience.RunID) (audience.Run, error) {
	return one(ctx, t.queries, "the run", selectRun+` WHERE r.id = $1`, []any{id}, scanRun)
}

func (t *tx) SaveRun(ctx context.Context, r audience.Run, worker string) error {
	result := withoutFiles(&r)
	err := t.must(ctx, meta.ErrStale, "the run", `UPDATE runs SET stages = $1, result = $2, progress = $3, error = $4, status = $5,
		ended_at = $6, updated_at = $7 WHERE id = $8 AND status = 'PROCESSING' AND lease_owner = $9`,
		asJSON(&r.Stages), asJSON(&result), asJSON(&r.Progress), asJSON(&r.Error), r.Status,
		asTime(&r.EndedAt), asTime(&r.UpdatedAt), r.ID, worker)
	if err != nil {
		return err
	}
	return t.saveParts(ctx, r)
}

// withoutFiles is the run's result but for its files, which lie apart.
func withoutFiles(r *audience.Run) audience.RunResult {
	result := r.Result
	result.Files = nil
	return result
}

// saveParts stores what lies outside the run's row: the manifest, once it is pinned, the files, and the stages' flow runs.
func (t *tx) saveParts(ctx context.Context, r audience.Run) error {
	for _, stage := range r.Stages {
		_, err := t.exec(ctx, "the flow run", `INSERT INTO run_flows (flow_run_id, run_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, stage.FlowRunID, r.ID)
		if err != nil {
			return err
		}
	}
	if _, err := t.exec(ctx, "the run's files", `DELETE FROM run_files WHERE run_id = $1`, r.ID); err != nil {
		return err
	}
	if r.Result.Files != nil {
		if _, err := t.exec(ctx, "the run's files", `INSERT INTO run_files (run_id, files) VALUES ($1, $2)`, r.ID, asJSON(&r.Result.Files)); err != nil {
			return err
		}
	}
	if r.Planned == nil {
		return nil
	}
	_, err := t.exec(ctx, "the run's manifest", `INSERT INTO run_plans (run_id, planned) VALUES ($1, $2)
		ON CONFLICT (run_id) DO UPDATE SET planned = excluded.planned WHERE run_plans.planned <> excluded.planned`, r.ID, asJSON(&r.Planned))
	return err
}

func (t *tx) FinishRun(ctx context.Context, r audience.Run, worker string) error {
	if err := t.SaveRun(ctx, r, worker); err != nil {
		return err
	}
	if r.Status == audience.Processing {
		return fmt.Errorf("finish run %s: it is still %s", r.ID, r.Status)
	}
	_, err := t.exec(ctx, "the run", `UPDATE runs SET lease_owner = '', lease_until = 0 WHERE id = $1`, r.ID)
	if err != nil || r.Status != audience.Success || r.Request.DryRun {
		return err
	}
	stored, err := t.runByID(ctx, r.ID)
	if err != nil {
		return err
	}
	if err := t.recordObjects(ctx, stored); err != nil {
		return err
	}
	set, args := finished(stored)
	return t.must(ctx, meta.ErrStale, "the audience", `UPDATE audiences SET `+set+` WHERE id = $1 AND NOT deleted`, args...)
}

// finished says what a run that ended SUCCESS changes of its audience, the parameter 1.
func finished(r audience.Run) (set string, args []any) {
	set, args = `members = $2`, []any{r.AudienceID, r.Result.Members.After}
	add := func(column string, v any) {
		args = append(args, v)
		set += fmt.Sprintf(`, %s = $%d`, column, len(args))
	}
	switch kind := r.Request.Kind; {
	case kind == audience.RunRollback, kind == audience.RunExtend:
		add("refreshed_at", asTime(&r.Result.RefreshedAt))
	case !r.Request.Differential:
		add("refreshed_at", asTime(&r.CreatedAt))
	}
	if kind := r.Request.Kind; kind != audience.RunExpire && kind != audience.RunExtend && kind != audience.RunErase { // those bring nobody
		add("last_run", r.ID)
		add("last_ingested_at", asTime(&r.CreatedAt))
	}
	return set, args
}
