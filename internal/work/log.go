package work

import (
	"context"
	"log/slog"
	"time"

	"roster/internal/audience"
	"roster/internal/job"
)

// logOf returns the log for lines about work in a sandbox.
func (s *Service) logOf(scope audience.Scope) *slog.Logger {
	return s.cfg.Log.With("organization", scope.Org, "sandbox", scope.Sandbox)
}

// ended writes a log line about the end of work in a sandbox. cause is the reason for a failure; nil for success.
func (s *Service) ended(scope audience.Scope, message string, took time.Duration, status audience.Status, cause *audience.Error, about ...any) {
	level, about := slog.LevelInfo, append(about, "seconds", took.Round(time.Millisecond).Seconds(), "status", status)
	if cause != nil {
		level, about = slog.LevelWarn, append(about, "error", cause)
		if cause.Code == audience.Internal { // clients see only a general message
			level, about = slog.LevelError, append(about, "cause", cause.Unwrap())
		}
	}
	s.logOf(scope).Log(context.Background(), level, message, about...)
}

// named returns the log attributes of an audience. Readers of the log hold no labels.
func named(aud *audience.Audience) []any {
	about := []any{"audience", aud.ID}
	if len(aud.Labels) == 0 {
		about = append(about, "name", aud.Name)
	}
	return about
}

// logRun logs the end of a run.
func (s *Service) logRun(aud *audience.Audience, r *audience.Run) {
	about := append([]any{"run", r.ID}, named(aud)...)
	about = append(about, "kind", r.Request.Kind.Name(), "dryRun", r.Request.DryRun, "rowsRead", r.Result.Rows.Read, "rowsRejected", r.Result.Rows.Rejected)
	if r.Status == audience.Success {
		about = append(about, "membersBefore", r.Result.Members.Before, "membersAfter", r.Result.Members.After)
	}
	s.ended(r.Scope, "run ended", r.EndedAt.Sub(r.CreatedAt), r.Status, aud.Hidden(nil).Failure(r.Error), about...)
}

// logTask logs the end of a task.
func (s *Service) logTask(t *audience.Task) {
	about := []any{"task", t.ID}
	if t.Status == audience.Success {
		about = append(about, named(&t.Draft)...)
	} else if len(t.Draft.Labels) == 0 {
		about = append(about, "name", t.Draft.Name)
	}
	s.ended(t.Scope, "task ended", t.UpdatedAt.Sub(t.CreatedAt), t.Status, t.Draft.Hidden(nil).Failure(t.Error), append(about, "warnings", len(t.Warnings))...)
}

// logErasure logs the end of an erasure.
func (s *Service) logErasure(e *audience.Erasure) {
	var sum audience.ErasedAudience
	for _, a := range e.Progress.Audiences {
		sum.Members, sum.Versions, sum.Files, sum.Rejects = sum.Members+a.Members, sum.Versions+a.Versions, sum.Files+a.Files, sum.Rejects+a.Rejects
	}
	s.ended(e.Scope, "erasure ended", e.EndedAt.Sub(e.CreatedAt), e.Status, nil, "erasure", e.ID, "audiences", len(e.Progress.Audiences),
		"members", sum.Members, "versions", sum.Versions, "files", sum.Files, "rejects", sum.Rejects)
}

// worksIn records the sandbox of a job in its context, for log lines about the job.
func worksIn(ctx context.Context, scope audience.Scope) {
	job.SetLogAttributes(ctx, scope.Org, scope.Sandbox)
}
