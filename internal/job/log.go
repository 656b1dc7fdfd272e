package job

import (
	"context"
	"log/slog"
)

type logKey struct{}

// jobLog has the log attributes of a job, once its handler has set them.
type jobLog struct{ attrs []any }

// WithLog returns the context of a job that is about to be done, for SetLogAttributes.
func WithLog(ctx context.Context) context.Context { return context.WithValue(ctx, logKey{}, &jobLog{}) }

// LogAttributes returns what SetLogAttributes has set for the job of ctx; nil before that.
func LogAttributes(ctx context.Context) []any {
	if w, ok := ctx.Value(logKey{}).(*jobLog); ok {
		return w.attrs
	}
	return nil
}

// SetLogAttributes sets the organization and the sandbox that log lines about the job of ctx name. It does nothing when
// ctx is not a job's.
func SetLogAttributes(ctx context.Context, organization, sandbox string) {
	if w, ok := ctx.Value(logKey{}).(*jobLog); ok {
		w.attrs = []any{slog.String("organization", organization), slog.String("sandbox", sandbox)}
	}
}
