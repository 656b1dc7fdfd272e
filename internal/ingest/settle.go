package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"roster/internal/audience"
	"roster/internal/source"
)

// Settle is the rule for when a file is considered completely written. A file that is being written has a recent
// modification time, or changes between two checks.
type Settle struct {
	// Age is the time for which a file must not have changed. 0 accepts every file at once.
	Age time.Duration
	// Limit is the maximum time that a run waits for all its files together.
	Limit time.Duration
	// Whole reports whether a version of an object is known to be complete. Optional.
	Whole func(path, version string) bool
}

// whole reports whether a file is considered complete without another check.
func (s Settle) whole(f audience.PlannedFile, now time.Time) bool {
	return now.Sub(f.ModifiedAt) >= s.Age || s.Age == 0 || s.Whole != nil && s.Whole(f.Path, f.Version)
}

// For returns the rule for the files of a store. In a store whose files appear complete, no waiting is necessary.
func (s Settle) For(store source.Store) Settle {
	if _, ok := store.(source.Atomic); ok {
		s.Age = 0
	}
	return s
}

// waitSettled waits until the files that are to be read have settled. A file that has not settled within the limit is marked
// as unsettled and left for the next run. A file that disappears is skipped.
func (p *Pipeline) waitSettled(ctx context.Context, s *Spec, files []audience.PlannedFile) error {
	rule := s.Settle
	if rule.Age == 0 {
		return nil
	}
	now := p.Clock()
	deadline := now.Add(rule.Limit)
	waiting := map[int]time.Time{} // time at which each file settles
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

// settled reports whether a file has settled.
func (s Settle) settled(f audience.PlannedFile, now time.Time) bool {
	return now.Sub(f.ModifiedAt) >= s.Age || s.Whole != nil && s.Whole(f.Path, f.Version)
}

// settledAt returns the time at which the file has been unchanged for the age. If another machine's clock set a
// modification time in the future, the age counts from now.
func settledAt(f audience.PlannedFile, now time.Time, age time.Duration) time.Time {
	if f.ModifiedAt.After(now) {
		return now.Add(age)
	}
	return f.ModifiedAt.Add(age)
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
			waiting[i] = settledAt(*f, now, s.Settle.Age)
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
