package control

import (
	"context"
	"errors"
	"strings"
	"time"

	"roster/internal/audience"
	"roster/internal/meta"
)

const (
	// answerWithin is how long a request is taken to be in progress that has no answer: the process that began it
	// may be gone.
	answerWithin = 2 * time.Minute
)

// WholeRequest stands in the text of a request that was answered after what was known of it when it began.
const WholeRequest = " "

// Repeated begins a request that carries an Idempotency-Key. The answer of the first request with that key is
// returned when there is one; false means that the request has to be done, and ended by Answered or Refused.
// Invalid is a key that another request had, Duplicate a request that is still in progress. Of a request whose body is
// large only the beginning is known yet: the caller compares the rest with the answer's Request. Forbidden is a client that may do less
// now than when it was answered. NotFound is an audience, the one that the request is about unless about is "", which is deleted by now
// or hidden from the client.
func (s *Service) Repeated(ctx context.Context, a audience.Actor, key, request string, about audience.ID) (answer audience.Answer, done bool, err error) {
	k := requestKey(a, key)
	var fewer error
	err = s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
		now := s.now()
		answer, err = tx.Answer(ctx, k)
		known := err == nil && now.Sub(answer.BegunAt) < audience.KeepAnswers
		switch {
		case err != nil && !errors.Is(err, meta.ErrNotFound):
			return err
		case known && begun(answer.Request) != request:
			return audience.InvalidField("Idempotency-Key", "was the key of another request in the last 24 hours; a new request needs a new key")
		case known && answer.Status != 0:
			done = true
			if !a.Holds(answer.Rights) {
				fewer = audience.Errorf(audience.Forbidden, "the API client has fewer rights than when it sent the request with this Idempotency-Key first, and does not get the answer again")
			}
			return nil
		case known && now.Sub(answer.BegunAt) < answerWithin:
			return audience.Errorf(audience.Duplicate, "the first request with this Idempotency-Key is still in progress; repeat it in a moment")
		}
		return tx.KeepAnswer(ctx, audience.Answer{RequestKey: k, Request: request, BegunAt: now})
	})
	if fewer != nil {
		_, err = s.begin(ctx, a, fewer, audience.RequestRepeat, key)
		return audience.Answer{}, false, err
	}
	if err == nil && done && about != "" {
		_, err = s.Audience(ctx, a, about)
	}
	return answer, done, err
}

// begun is what was known of a request when it began.
func begun(request string) string {
	begin, _, _ := strings.Cut(request, WholeRequest)
	return begin
}

// Answered keeps the answer of a request that Repeated began.
func (s *Service) Answered(ctx context.Context, a audience.Actor, key, request string, status int, body string) error {
	return s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
		return tx.KeepAnswer(ctx, audience.Answer{RequestKey: requestKey(a, key), Request: request, Status: status, Body: body, BegunAt: s.now(), Rights: a.Rights()})
	})
}

// Refused ends a request that Repeated began and that changed nothing: its key is as if it had never been used.
func (s *Service) Refused(ctx context.Context, a audience.Actor, key string) error {
	return s.cfg.Store.Update(ctx, func(tx meta.Tx) error { return tx.DropAnswer(ctx, requestKey(a, key)) })
}

func requestKey(a audience.Actor, key string) audience.RequestKey {
	return audience.RequestKey{Scope: a.Scope, ClientID: a.ClientID, Key: key}
}
