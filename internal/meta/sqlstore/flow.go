package sqlstore

import (
	"context"
	"fmt"

	"roster/internal/audience"
)

const selectAudienceByFlow = `SELECT ` + audienceColumns + ` FROM audiences WHERE flow_id = $1 AND org = $2 AND sandbox = $3 AND NOT deleted`

// AudienceByFlow implements meta.Reader.
func (q queries) AudienceByFlow(ctx context.Context, scope audience.Scope, flowID string) (audience.Audience, error) {
	return one(ctx, q, "the audience of the flow", selectAudienceByFlow, []any{flowID, scope.Org, scope.Sandbox}, scanAudience)
}

// RunByFlow implements meta.Reader.
func (q queries) RunByFlow(ctx context.Context, scope audience.Scope, flow string) (audience.Run, error) {
	return one(ctx, q, "the run of the flow", selectRun+` WHERE a.org = $2 AND a.sandbox = $3 AND NOT a.deleted AND r.id = COALESCE(
		(SELECT run_id FROM run_flows WHERE flow_run_id = $1),
		(SELECT id FROM runs WHERE flow_id = $1 ORDER BY seq DESC LIMIT 1))`, []any{flow, scope.Org, scope.Sandbox}, scanRun)
}

// FlowRuns implements meta.Reader.
func (q queries) FlowRuns(ctx context.Context, scope audience.Scope, query audience.FlowRunQuery) ([]audience.Run, error) {
	where := audienceConditions{sql: `a.org = $1 AND a.sandbox = $2 AND NOT a.deleted`, args: []any{scope.Org, scope.Sandbox}}
	where.seenBy(query.SeenBy)
	if query.Audience != "" {
		where.add(`r.audience_id = %s`, query.Audience)
	}
	if n := len(query.Statuses); n > 0 {
		where.sql += ` AND r.status IN (` + placeholders(len(where.args)+1, n) + `)`
		for _, s := range query.Statuses {
			where.args = append(where.args, s)
		}
	}
	if p := query.From; p != nil {
		where.add(`(r.created_at, r.seq, r.id) <= (%s, %s, %s)`, asTime(&p.At), p.Seq, p.ID)
	}
	return list(ctx, q, "the runs of flows", selectRuns+` WHERE `+where.sql+
		fmt.Sprintf(` ORDER BY r.created_at DESC, r.seq DESC, r.id DESC LIMIT $%d`, len(where.args)+1), append(where.args, max(query.Limit, 0)), scanRun)
}

// NewestRuns implements meta.Reader.
func (q queries) NewestRuns(ctx context.Context, scope audience.Scope, ids []audience.ID) ([]audience.Run, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	args := []any{scope.Org, scope.Sandbox}
	for _, id := range ids {
		args = append(args, id)
	}
	return list(ctx, q, "the newest runs", selectRuns+` WHERE r.audience_id IN (`+placeholders(3, len(ids))+`) AND r.seq = a.last_seq
		AND a.org = $1 AND a.sandbox = $2 AND NOT a.deleted`, args, scanRun)
}

// fillFlows fills the column for finding audiences by their flow.
func fillFlows(ctx context.Context, t *tx) error {
	all, err := list(ctx, t.queries, "the audiences", `SELECT id FROM audiences`, nil, value[audience.ID])
	if err != nil {
		return err
	}
	for _, id := range all {
		if _, err := t.exec(ctx, "the audience", `UPDATE audiences SET flow_id = $1 WHERE id = $2`, audience.FlowID(id), id); err != nil {
			return err
		}
	}
	return nil
}
