package meta

import (
	"context"
	"time"

	"roster/internal/audience"
)

// Requests reads the answers of requests with an Idempotency-Key.
type Requests interface {
	// Answer finds what was kept of a request by KeepAnswer.
	Answer(ctx context.Context, k audience.RequestKey) (audience.Answer, error)
}

// RequestsTx keeps and forgets the answers of requests in a transaction.
type RequestsTx interface {
	Requests
	// KeepAnswer stores what is known of a request, instead of what was.
	KeepAnswer(ctx context.Context, a audience.Answer) error
	// DropAnswer forgets a request, if it is known.
	DropAnswer(ctx context.Context, k audience.RequestKey) error
	// DropAnswers forgets the requests that were begun before that time and says how many they were.
	DropAnswers(ctx context.Context, before time.Time) (int64, error)
}
