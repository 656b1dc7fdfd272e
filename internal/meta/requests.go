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
	// DeleteAnswer removes the record of a request, if there is one.
	DeleteAnswer(ctx context.Context, k audience.RequestKey) error
	// DeleteAnswers removes the records of requests that began before a time, and returns their number.
	DeleteAnswers(ctx context.Context, before time.Time) (int64, error)
	// DeleteUnanswered removes the records of requests without an answer: the process that executed them has ended.
	DeleteUnanswered(ctx context.Context) error
}
