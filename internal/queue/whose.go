package queue

import (
	"context"
	"log/slog"
)

type whoseKey struct{}

// whose is what a handler found out about whom its job is for.
type whose struct{ attrs []any }

// Whose are the attributes of log lines that For made of the job of ctx.
func Whose(ctx context.Context) []any {
	if w, ok := ctx.Value(whoseKey{}).(*whose); ok {
		return w.attrs
	}
	return nil
}

// For says in whose organization and sandbox the job of ctx is done, so that log lines about it tell it. It does nothing when
// ctx is not a job's.
func For(ctx context.Context, organization, sandbox string) {
	if w, ok := ctx.Value(whoseKey{}).(*whose); ok {
		w.attrs = []any{slog.String("organization", organization), slog.String("sandbox", sandbox)}
	}
}
