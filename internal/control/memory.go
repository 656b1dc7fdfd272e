package control

import (
	"context"
	"errors"
	"time"

	"roster/internal/audience"
	"roster/internal/lake"
	"roster/internal/memory"
)

// Memory of an answer that reads a dataset: if there is plenty, otherwise, and for each additional column.
const (
	roomyAnswer  = 8 << 20
	leastAnswer  = 2 << 20
	answerColumn = 64 << 10
)

// reading reserves the memory for an answer that reads this number of columns of a dataset; done releases it.
func (s *Service) reading(ctx context.Context, columns int) (r lake.Reading, done func(), err error) {
	least := max(leastAnswer, int64(columns)*answerColumn)
	r.Memory, done, err = s.cfg.Memory.Answer(ctx, max(roomyAnswer, 2*least), least)
	r.Large = s.large
	return r, done, busy(err)
}

// large waits until an answer may read rows with very many bytes; see lake.Reading.
func (s *Service) large(ctx context.Context) (release func(), err error) {
	release, err = s.cfg.Memory.Large(ctx)
	return release, busy(err)
}

// busy returns the refusal of an answer that did not get its turn.
func busy(err error) error {
	if !errors.Is(err, memory.ErrBusy) {
		return err
	}
	e := audience.Errorf(audience.TooMany, "too many large answers are being sent at this moment; repeat the request in a moment, or ask for fewer rows")
	e.RetryAfter = 10 * time.Second
	return e
}
