package work

import (
	"context"
	"errors"
	"math"
	"time"

	"roster/internal/meta"
	"roster/internal/schedule"
)

// ResetFutureTimes is called when the clock was put back. Jobs that wait for a time from the wrong clock become due, and
// schedules get their next time from the corrected clock.
func (s *Service) ResetFutureTimes(ctx context.Context) error {
	now := s.now()
	if err := s.cfg.Store.Update(ctx, func(tx meta.Tx) error { return tx.ResetFutureTimes(ctx, now) }); err != nil {
		return err
	}
	s.work.turnBack(now)
	numbers, err := s.cfg.Store.Scheduled(ctx, time.UnixMicro(math.MaxInt64), math.MaxInt32)
	if err != nil {
		return err
	}
	for _, num := range numbers {
		err := s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
			aud, err := tx.AudienceByNum(ctx, num)
			if err != nil {
				return err
			}
			if next := schedule.Next(aud.Schedule, now); next.Before(aud.NextRunAt) {
				return tx.MarkScheduled(ctx, aud.ID, next, aud.ScheduleTried, aud.ScheduleNote)
			}
			return nil
		})
		if err != nil && !errors.Is(err, meta.ErrNotFound) {
			return err
		}
	}
	return nil
}

// turnBack removes times in the future.
func (w *worklist) turnBack(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, at := range w.cleaned {
		if at.After(now) {
			w.cleaned[id] = now
		}
	}
	if latest := now.Add(maintainEvery); w.retention.After(latest) {
		w.retention = latest
	}
}
