package sqlstore

import (
	"context"

	"roster/internal/audience"
	"roster/internal/meta"
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

// RunsByFlow implements meta.Reader.
func (q queries) RunsByFlow(ctx context.Context, scope audience.Scope, flowID string, before int64, limit int) ([]audience.Run, error) {
	where, args := ` WHERE r.flow_id = $1 AND a.org = $2 AND a.sandbox = $3 AND NOT a.deleted`, []any{flowID, scope.Org, scope.Sandbox, max(limit, 0)}
	if before > 0 {
		where += ` AND r.seq < $5`
		args = append(args, before)
	}
	return list(ctx, q, "the runs of the flow", selectRuns+where+` ORDER BY r.seq DESC LIMIT $4`, args, scanRun)
}

// fillFlows fills in the column that audiences are found by when their flow is asked for.
func fillFlows(ctx context.Context, t *tx) error {
	all, err := list(ctx, t.queries, "the audiences", `SELECT id FROM audiences`, nil, value[audience.ID])
	if err != nil {
		return err
	}
	for _, id := range all {
		if _, err := t.exec(ctx, "the audience", `UPDATE audiences SET flow_id = $1 WHERE id = $2`, meta.FlowID(id), id); err != nil {
			return err
		}
	}
	return nil
}
