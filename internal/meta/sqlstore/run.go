package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"roster/internal/audience"
	"roster/internal/fault"
	"roster/internal/meta"
)

// runColumns are what scanRun reads, but for the manifest and the files at the end; runTables is where they are.
const (
	runColumns = `r.id, a.org, a.sandbox, r.audience_id, a.name, r.seq, r.request, r.status, r.created_by, r.created_at,
		COALESCE(g.updated_at, r.updated_at), r.ended_at, r.flow_id, r.stages, r.result, r.error,
		COALESCE(g.step, ''), COALESCE(g.bytes_done, 0), COALESCE(g.bytes_total, 0), COALESCE(g.rows_read, 0)`
	runTables = ` FROM runs r JOIN audiences a ON a.id = r.audience_id LEFT JOIN run_progress g ON g.run_id = r.id`
)

// selectRuns reads runs without their manifests, and without their files when these are many; selectRun reads a run whole.
const (
	selectRuns = `SELECT ` + runColumns + `, 'null', COALESCE((SELECT files FROM run_files f WHERE f.run_id = r.id AND OCTET_LENGTH(files) <= 65536), 'null')` +
		runTables
	selectRun = `SELECT ` + runColumns + `, COALESCE(p.planned, 'null'), COALESCE(f.files, 'null')` + runTables + `
		LEFT JOIN run_plans p ON p.run_id = r.id LEFT JOIN run_files f ON f.run_id = r.id`
)

func scanRun(r row) (run audience.Run, err error) {
	var files []audience.FileResult
	err = r.Scan(&run.ID, &run.Scope.Org, &run.Scope.Sandbox, &run.AudienceID, &run.AudienceName, &run.Seq, asJSON(&run.Request),
		&run.Status, &run.CreatedBy, asTime(&run.CreatedAt), asTime(&run.UpdatedAt), asTime(&run.EndedAt), &run.FlowID,
		asJSON(&run.Stages), asJSON(&run.Result), asJSON(&run.Error), &run.Progress.Step, &run.Progress.BytesDone, &run.Progress.BytesTotal,
		&run.Progress.Rows, asJSON(&run.Planned), asJSON(&files))
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
	seq := a.seq + 1
	err = t.insertRun(ctx, r, seq, audience.Processing)
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
	return t.saveParts(ctx, r)
}

// insertRun writes the row of a run.
func (t *tx) insertRun(ctx context.Context, r *audience.Run, seq int64, status audience.Status) error {
	result := withoutFiles(r)
	return t.insert(ctx, "the run", "runs", `id, audience_id, seq, request, status, created_by, created_at, updated_at, ended_at, flow_id,
		stages, result, error`,
		r.ID, r.AudienceID, seq, asJSON(&r.Request), status, r.CreatedBy, asTime(&r.CreatedAt), asTime(&r.UpdatedAt),
		asTime(&r.EndedAt), r.FlowID, asJSON(&r.Stages), asJSON(&result), asJSON(&r.Error))
}

// saveParts writes what lies beside the row of a new run.
func (t *tx) saveParts(ctx context.Context, r *audience.Run) error {
	for _, stage := range r.Stages {
		if err := t.insert(ctx, "the flow run", "run_flows", "flow_run_id, run_id", stage.FlowRunID, r.ID); err != nil {
			return err
		}
	}
	if err := t.savePlan(ctx, r); err != nil {
		return err
	}
	return t.saveFiles(ctx, r)
}

// InsertRun implements meta.RunsTx.
func (t *tx) InsertRun(ctx context.Context, r audience.Run, before audience.RunID, worker string) (seq int64, err error) {
	if !r.Committed() {
		return 0, fmt.Errorf("insert run %s: it is %s", r.ID, r.Status)
	}
	next, err := t.runByID(ctx, before)
	if err != nil {
		return 0, err
	}
	last, err := one(ctx, t.queries, "the audience", `SELECT last_seq FROM audiences WHERE id = $1 AND NOT deleted`, []any{r.AudienceID}, value[int64])
	if err != nil {
		return 0, err
	}
	seq = last + 1
	err = t.must(ctx, meta.ErrStale, "the run", `UPDATE runs SET seq = $1 WHERE id = $2 AND audience_id = $3 AND status = 'PROCESSING' AND lease_owner = $4`,
		seq, before, r.AudienceID, worker)
	if err != nil {
		return 0, err
	}
	if err := t.insertRun(ctx, &r, next.Seq, r.Status); err != nil {
		return 0, err
	}
	if err := t.saveParts(ctx, &r); err != nil {
		return 0, err
	}
	set, args := finished(r)
	args = append(args, seq)
	return seq, t.must(ctx, meta.ErrStale, "the audience", fmt.Sprintf(`UPDATE audiences SET %s, last_seq = $%d WHERE id = $1 AND NOT deleted`, set, len(args)), args...)
}

// whyNoRun returns the error for the unique constraint that a new run violated.
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

func (t *tx) RenewRun(ctx context.Context, id audience.RunID, worker string, now, until time.Time) error {
	if err := t.acquire(ctx, "runs", string(id), worker, now, until); err != nil {
		return fmt.Errorf("the run: %w", err)
	}
	return nil
}

func (t *tx) SaveRun(ctx context.Context, r audience.Run, worker string) error {
	err := t.must(ctx, meta.ErrStale, "the run", `UPDATE runs SET stages = $1, updated_at = $2 WHERE id = $3 AND status = 'PROCESSING' AND lease_owner = $4`,
		asJSON(&r.Stages), asTime(&r.UpdatedAt), r.ID, worker)
	if err != nil {
		return err
	}
	if err := t.saveProgress(ctx, r.ID, worker, r.Progress, r.UpdatedAt); err != nil {
		return err
	}
	return t.savePlan(ctx, &r)
}

// savePlan stores the manifest of the run, once it is pinned.
func (t *tx) savePlan(ctx context.Context, r *audience.Run) error {
	if r.Planned == nil {
		return nil
	}
	_, err := t.exec(ctx, "the run's manifest", `INSERT INTO run_plans (run_id, planned) VALUES ($1, $2)
		ON CONFLICT (run_id) DO UPDATE SET planned = excluded.planned`, r.ID, asJSON(&r.Planned))
	return err
}

// SaveProgress implements meta.Store. The statement is a transaction of its own. In PostgreSQL it is not serialised: it waits for no
// other transaction, and none is run again because of it.
func (s *Store) SaveProgress(ctx context.Context, id audience.RunID, worker string, p audience.Progress, at time.Time) error {
	if err := fault.At("meta.progress"); err != nil {
		return err
	}
	if err := (queries{db: s.write, d: s.d}).saveProgress(ctx, id, worker, p, at); err != nil {
		return err
	}
	return fault.At("meta.progress" + fault.Done)
}

// saveProgress writes the progress of a run whose lease the worker has; meta.ErrStale of another run.
func (q queries) saveProgress(ctx context.Context, id audience.RunID, worker string, p audience.Progress, at time.Time) error {
	return q.must(ctx, meta.ErrStale, "the run's progress", `INSERT INTO run_progress (run_id, step, bytes_done, bytes_total, rows_read, updated_at)
		SELECT id, $1, CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS BIGINT) FROM runs
			WHERE id = $6 AND status = 'PROCESSING' AND lease_owner = $7
		ON CONFLICT (run_id) DO UPDATE SET step = excluded.step, bytes_done = excluded.bytes_done, bytes_total = excluded.bytes_total,
			rows_read = excluded.rows_read, updated_at = excluded.updated_at`,
		p.Step, p.BytesDone, p.BytesTotal, p.Rows, asTime(&at), id, worker)
}

// withoutFiles returns the run's result without its files, which are stored separately.
func withoutFiles(r *audience.Run) audience.RunResult {
	result := r.Result
	result.Files = nil
	return result
}

// saveFiles stores the files of the run's result, if there are any.
func (t *tx) saveFiles(ctx context.Context, r *audience.Run) error {
	if r.Result.Files == nil {
		return nil
	}
	_, err := t.exec(ctx, "the run's files", `INSERT INTO run_files (run_id, files) VALUES ($1, $2)
		ON CONFLICT (run_id) DO UPDATE SET files = excluded.files`, r.ID, asJSON(&r.Result.Files))
	return err
}

func (t *tx) FinishRun(ctx context.Context, r audience.Run, worker string) error {
	if r.Status == audience.Processing {
		return fmt.Errorf("finish run %s: it is still %s", r.ID, r.Status)
	}
	result := withoutFiles(&r)
	err := t.must(ctx, meta.ErrStale, "the run", `UPDATE runs SET stages = $1, result = $2, error = $3, status = $4, ended_at = $5, updated_at = $6,
		lease_owner = '', lease_until = 0 WHERE id = $7 AND status = 'PROCESSING' AND lease_owner = $8`,
		asJSON(&r.Stages), asJSON(&result), asJSON(&r.Error), r.Status, asTime(&r.EndedAt), asTime(&r.UpdatedAt), r.ID, worker)
	if err != nil {
		return err
	}
	if _, err := t.exec(ctx, "the run's progress", `DELETE FROM run_progress WHERE run_id = $1`, r.ID); err != nil {
		return err
	}
	if err := t.saveFiles(ctx, &r); err != nil || !r.Committed() {
		return err
	}
	if r.Request.Traits().Input != audience.FromOutside { // its files are those of the dataset
		if err := t.recordObjects(ctx, r); err != nil {
			return err
		}
	}
	set, args := finished(r)
	return t.must(ctx, meta.ErrStale, "the audience", `UPDATE audiences SET `+set+` WHERE id = $1 AND NOT deleted`, args...)
}

// finished says what a run that ended SUCCESS changes of its audience, the parameter 1.
func finished(r audience.Run) (set string, args []any) {
	set, args = `members = $2`, []any{r.AudienceID, r.Result.Members.After}
	add := func(column string, v any) {
		args = append(args, v)
		set += fmt.Sprintf(`, %s = $%d`, column, len(args))
	}
	if at, changed := r.RenewedAt(); changed {
		add("refreshed_at", asTime(&at))
	}
	if r.Request.Traits().BringsMembers() {
		add("last_run", r.ID)
		add("last_ingested_at", asTime(&r.CreatedAt))
	}
	return set, args
}
