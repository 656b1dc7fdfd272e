package control

import (
	"context"
	"log/slog"

	"roster/internal/audience"
	"roster/internal/queue"
)

// logOf is the log for lines about what is done in a sandbox.
func (s *Service) logOf(scope audience.Scope) *slog.Logger {
	return s.cfg.Log.With("organization", scope.Org, "sandbox", scope.Sandbox)
}

// worksIn says in which sandbox the job of ctx is done, for log lines about the job.
func worksIn(ctx context.Context, scope audience.Scope) { queue.For(ctx, scope.Org, scope.Sandbox) }
