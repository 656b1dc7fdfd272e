package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"roster/internal/audience"
	"roster/internal/source"
)

// waitSettled waits until the files that are to be read have settled. A file that has not settled within the limit is
// marked as unsettled and left for the next run. A file that disappears is skipped.
func (p *Pipeline) waitSettled(ctx context.Context, s *Spec, files []audience.PlannedFile) error {
	rule := s.Settle
	if rule.Age == 0 {
		return nil
	}
	now := p.Clock()
	deadline := now.Add(rule.Limit)
	waiting := map[int]time.Time{} // time at which each file settles
	for i, f := range files {
		if f.Status == audience.FileRead && !rule.Settled(f, now) {
			waiting[i] = rule.SettlesAt(f, now)
		}
	}
	for len(waiting) > 0 {
		next := deadline
		for _, at := range waiting {
			if at.Before(next) {
				next = at
			}
		}
		s.Run.Progress.Step = "settle"
		if err := s.saveProgress(ctx); err != nil {
			return err
		}
		if err := p.sleep(ctx, next.Sub(p.Clock())); err != nil {
			return err
		}
		now = p.Clock()
		for i, at := range waiting {
			if at.After(now) && now.Before(deadline) {
				continue
			}
			if err := lookAgain(ctx, s, &files[i], now, deadline, waiting, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// lookAgain checks the i-th file again and decides whether to keep waiting for it.
func lookAgain(ctx context.Context, s *Spec, f *audience.PlannedFile, now, deadline time.Time, waiting map[int]time.Time, i int) error {
	o, err := s.Source.Stat(ctx, f.Path)
	if errors.Is(err, source.ErrNotExist) {
		f.Status, f.Reason = audience.FileSkipped, "it was there and is gone"
		delete(waiting, i)
		return nil
	}
	if err != nil {
		return sourceFailure(f.Path, err)
	}
	grown := o.Version != f.Version
	if grown {
		*f = planned(o)
		f.Status = audience.FileRead
	}
	switch {
	case !grown && !waiting[i].After(now):
		delete(waiting, i)
	case now.Before(deadline):
		if grown {
			waiting[i] = s.Settle.SettlesAt(*f, now)
		}
	default:
		f.Status = audience.FileUnsettled
		f.Reason = fmt.Sprintf("still being written after the run waited %s for it; the next run reads it", s.Settle.Limit)
		delete(waiting, i)
	}
	return nil
}

// sleep waits. If the context ends, it returns the error of the context.
func (p *Pipeline) sleep(ctx context.Context, d time.Duration) error {
	if p.Sleep != nil {
		return p.Sleep(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
