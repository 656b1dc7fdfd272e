package meta

import (
	"context"
	"time"

	"roster/internal/audience"
)

// Requests reads the answers of requests with an Idempotency-Key.
type Requests interface {
	// Answer finds what was kept of a request by KeepAnswer.
	Answer(ctx context.Context, k RequestKey) (Answer, error)
}

// RequestsTx keeps and forgets the answers of requests in a transaction.
type RequestsTx interface {
	Requests
	// KeepAnswer stores what is known of a request, instead of what was.
	KeepAnswer(ctx context.Context, a Answer) error
	// DropAnswer forgets a request, if it is known.
	DropAnswer(ctx context.Context, k RequestKey) error
	// DropAnswers forgets the requests that were begun before that time and says how many they were.
	DropAnswers(ctx context.Context, before time.Time) (int64, error)
}

// KeepAnswers is how long a repeated request gets the answer of the first one (contract, section 1).
const KeepAnswers = 24 * time.Hour

// RequestKey names a request that its client may repeat: Key is its Idempotency-Key.
type RequestKey struct {
	Scope    audience.Scope
	ClientID string
	Key      string
}

// Answer is what a repeated request is answered with.
type Answer struct {
	RequestKey
	Request string          // what was asked for, as a fingerprint
	Status  int             // of HTTP, 0 while the request is being answered
	Body    string          // JSON, or "" when the answer has none
	Rights  audience.Rights // of the client when it was answered
	BegunAt time.Time
}
