package control

import (
	"context"
	"time"

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

// withinGuardrails returns a TooMany error when one more run of the audience would exceed a guardrail, if they are
// on. What ingests nothing is not counted: dry runs, undone runs, and runs that take out members whose time is over.
func (s *Service) withinGuardrails(ctx context.Context, tx meta.Tx, scope audience.Scope, id audience.ID, req audience.RunRequest, now time.Time) error {
	if !s.cfg.Guardrails || !counted(req) {
		return nil
	}
	recent, err := tx.RunsSince(ctx, scope, now.Add(-guardrailSpan))
	if err != nil {
		return err
	}
	var all, own []time.Time
	for _, r := range recent {
		if !counted(r.Request) {
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

func counted(req audience.RunRequest) bool {
	return !req.DryRun && (req.Kind == audience.RunIngest || req.Kind == audience.RunResubmit)
}
