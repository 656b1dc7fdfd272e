package web

import (
	"context"
	"log/slog"
	"strings"

	"roster/internal/audience"
)

// maxRequestID bounds the request ids that are taken from clients, in bytes.
const maxRequestID = 128

// requestIDHeader is as http.Header spells it.
const requestIDHeader = "X-Request-Id"

type requestKey struct{}

// request is what log lines tell of the request that a context belongs to.
type request struct {
	id    string
	scope audience.Scope // the caller's, once it is authenticated
}

// requestOf returns the request that ctx belongs to, or one without an id when ctx belongs to none.
func requestOf(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{}
}

// RequestID returns the id of the request that ctx belongs to, or "" when ctx belongs to none.
func RequestID(ctx context.Context) string { return requestOf(ctx).id }

// LogOf returns the log for lines about the request that ctx belongs to. Each line has the request's id and its caller's organization
// and sandbox.
func (s *Shell) LogOf(ctx context.Context) *slog.Logger {
	r, log := requestOf(ctx), s.Log
	if r.id != "" {
		log = log.With("request", r.id)
	}
	if r.scope != (audience.Scope{}) {
		log = log.With("organization", r.scope.Org, "sandbox", r.scope.Sandbox)
	}
	return log
}

// usableRequestID reports whether a client's request id is short and harmless in a log and in a header.
func usableRequestID(id string) bool {
	return id != "" && len(id) <= maxRequestID && strings.IndexFunc(id, func(c rune) bool {
		return c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>'
	}) < 0
}
