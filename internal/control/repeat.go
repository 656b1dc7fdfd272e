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
	// answerWithin is how long a request without an answer counts as in progress. After that the process that began it
	// is assumed to be gone.
	answerWithin = 2 * time.Minute
)

// WholeRequest in the fingerprint of a request marks the part that was known only after the request began.
const WholeRequest = " "

// Repeated begins a request with an Idempotency-Key. It returns the stored answer of the first request with that key if
// there is one; false means that the caller has to perform the request and end it with Answered or Refused. Errors:
// Invalid if another request used the key; Duplicate if the first request is still in progress; Forbidden if the client
// has fewer rights now than at the time of the answer; NotFound if the audience of the request, unless about is "", is
// deleted by now or hidden from the client. Of a request with a large body only the beginning is known yet: the caller
// compares the rest with the answer's Request.
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
			return audience.InvalidField("Idempotency-Key", "was used for another request in the last 24 hours; use a new key for a new request")
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

// begun returns the part of a fingerprint that was known when the request began.
func begun(request string) string {
	begin, _, _ := strings.Cut(request, WholeRequest)
	return begin
}

// Answered stores the answer of a request that Repeated began.
func (s *Service) Answered(ctx context.Context, a audience.Actor, key, request string, status int, body string) error {
	return s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
		return tx.KeepAnswer(ctx, audience.Answer{RequestKey: requestKey(a, key), Request: request, Status: status, Body: body, BegunAt: s.now(), Rights: a.Rights()})
	})
}

// Refused ends a request that Repeated began and that changed nothing, as if its key had never been used.
func (s *Service) Refused(ctx context.Context, a audience.Actor, key string) error {
	return s.cfg.Store.Update(ctx, func(tx meta.Tx) error { return tx.DeleteAnswer(ctx, requestKey(a, key)) })
}

func requestKey(a audience.Actor, key string) audience.RequestKey {
	return audience.RequestKey{Scope: a.Scope, ClientID: a.ClientID, Key: key}
}
