package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"roster/internal/audience"
	"roster/internal/source"
)

// Settle says when a file counts as whole. One that is being written has just been modified, or grows between two
// looks at it.
type Settle struct {
	// Age is how long a file must have stayed as it is; 0 takes every file at once.
	Age time.Duration
	// Limit is how long a run waits for its files, all together.
	Limit time.Duration
	// Whole reports whether a version of an object is known to be whole; nil knows of none.
	Whole func(path, version string) bool
}

// whole reports whether a file counts as whole by its age alone.
func (s Settle) whole(f audience.PlannedFile, now time.Time) bool {
	return now.Sub(f.ModifiedAt) >= s.Age || s.Age == 0 || s.Whole != nil && s.Whole(f.Path, f.Version)
}

// For returns the rule for the files of a store. Where files appear whole there is nothing to wait for.
func (s Settle) For(store source.Store) Settle {
	if _, ok := store.(source.Atomic); ok {
		s.Age = 0
	}
	return s
}

// settle waits until the files that are to be read have settled. One that does not within the limit is left for the
// next run, as unsettled; one that goes away meanwhile is skipped.
func (p *Pipeline) settle(ctx context.Context, s *Spec, files []audience.PlannedFile) error {
	rule := s.Settle
	if rule.Age == 0 {
		return nil
	}
	now := p.Clock()
	deadline := now.Add(rule.Limit)
	waiting := map[int]time.Time{} // when each may count as settled
	for i, f := range files {
		if f.Status == audience.FileRead && !rule.settled(f, now) {
			waiting[i] = settledAt(f, now, rule.Age)
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

// settled reports whether a file counts as whole.
func (s Settle) settled(f audience.PlannedFile, now time.Time) bool {
	return now.Sub(f.ModifiedAt) >= s.Age || s.Whole != nil && s.Whole(f.Path, f.Version)
}

// settledAt is when a file has stayed as it is for the age. A time of modification that lies in the future, by
// another machine's clock, counts from now.
func settledAt(f audience.PlannedFile, now time.Time, age time.Duration) time.Time {
	if f.ModifiedAt.After(now) {
		return now.Add(age)
	}
	return f.ModifiedAt.Add(age)
}

// lookAgain looks at the i-th file once more and decides whether it goes on waiting.
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
			waiting[i] = settledAt(*f, now, s.Settle.Age)
		}
	default:
		f.Status = audience.FileUnsettled
		f.Reason = fmt.Sprintf("still being written after the run waited %s for it; the next run reads it", s.Settle.Limit)
		delete(waiting, i)
	}
	return nil
}

// sleep waits, or returns the error of a context that ends.
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
