package meta

import (
	"context"
	"time"

	"roster/internal/audience"
)

// Requests reads the answers of requests with an Idempotency-Key.
type Requests interface {
	// Answer finds the record of a request that KeepAnswer stored.
	Answer(ctx context.Context, k audience.RequestKey) (audience.Answer, error)
}

// RequestsTx stores and removes the answers of requests in a transaction.
type RequestsTx interface {
	Requests
	// KeepAnswer stores the record of a request and replaces an earlier one.
	KeepAnswer(ctx context.Context, a audience.Answer) error
	// DropAnswer removes the record of a request, if there is one.
	DropAnswer(ctx context.Context, k audience.RequestKey) error
	// DropAnswers removes the records of requests that began before a time, and returns their number.
	DropAnswers(ctx context.Context, before time.Time) (int64, error)
	// DropUnanswered removes the records of requests without an answer: the process that executed them has ended.
	DropUnanswered(ctx context.Context) error
}
