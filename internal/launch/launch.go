// Package launch begins runs: of a client who asks for one, of a schedule, of members whose time is over, and of an
// erasure.
package launch

import (
	"context"
	"time"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/meta"
)

// The guardrails of Adobe Experience Platform (contract, section 2). The documents give the second no span of time;
// a day is the one that lets an audience be refreshed daily.
const (
	runsPerSandbox  = 100
	runsPerAudience = 10
	guardrailSpan   = 24 * time.Hour
)

// WithinGuardrails returns a TooMany error when one more run of the audience would exceed a guardrail. What ingests
// nothing is not counted: dry runs, undone runs, and runs that take out members whose time is over.
func WithinGuardrails(ctx context.Context, runs meta.Runs, scope audience.Scope, id audience.ID, req audience.RunRequest, now time.Time) error {
	if !req.Ingests() {
		return nil
	}
	recent, err := runs.RunsSince(ctx, scope, now.Add(-guardrailSpan))
	if err != nil {
		return err
	}
	var all, own []time.Time
	for _, r := range recent {
		if !r.Request.Ingests() {
			continue
		}
		all = append(all, r.CreatedAt)
		if r.AudienceID == id {
			own = append(own, r.CreatedAt)
		}
	}
	for _, g := range []struct {
		of     string
		starts []time.Time
		limit  int
	}{{"the sandbox " + scope.Sandbox, all, runsPerSandbox}, {"the audience", own, runsPerAudience}} {
		if len(g.starts) < g.limit {
			continue
		}
		free := g.starts[len(g.starts)-g.limit].Add(guardrailSpan)
		e := audience.Errorf(audience.TooMany, "%s has had %d runs in 24 hours, which is the limit; the next one is possible at %s", g.of, len(g.starts), free.UTC().Format(time.RFC3339))
		e.RetryAfter = free.Sub(now)
		return e
	}
	return nil
}

// NewRun makes the run of an audience that a client asks for at a time.
func NewRun(aud *audience.Audience, client string, req audience.RunRequest, now time.Time) audience.Run {
	run := audience.Run{
		ID: audience.RunID(uuid.NewString()), Scope: aud.Scope, AudienceID: aud.ID, AudienceName: aud.Name,
		Request: req, Status: audience.Processing, CreatedBy: client, FlowID: audience.FlowID(aud.ID), CreatedAt: now, UpdatedAt: now,
	}
	stages := []audience.StageName{audience.StageDataset}
	if aud.ProfileIngestion {
		stages = append(stages, audience.StageProfile)
	}
	for _, st := range stages {
		run.Stages = append(run.Stages, audience.StageResult{Stage: st, Status: audience.Processing, FlowRunID: uuid.NewString()})
	}
	return run
}
