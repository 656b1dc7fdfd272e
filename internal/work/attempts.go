package work

import (
	"context"
	"fmt"
	"strings"

	"roster/internal/audience"
	"roster/internal/meta"
)

// mostDeaths is how many times a process may crash while it works on a task or a run. After that the task or run fails
// and is not tried again.
const mostDeaths = 2

// Death is the unexpected end of a process.
type Death struct {
	Worker string              // Worker of the Service that ended with it
	Cause  string              // "" if the process was killed from outside, which is not a fault of its work
	Files  map[string][]string // files in reading, by run
}

// Worker returns the name of this process in leases.
func (s *Service) Worker() string { return s.cfg.Worker }

// RecordDeath counts the death of the previous process against the tasks and runs that it worked on, and returns their
// number. It must be called before work is resumed.
func (s *Service) RecordDeath(ctx context.Context, d Death) (n int, err error) {
	err = s.cfg.Store.Update(ctx, func(tx meta.Tx) (err error) {
		n, err = tx.CountDeath(ctx, d.Worker, d.Cause, d.Files)
		return err
	})
	return n, err
}

// fatal returns the error of a task or a run that is not tried again, nil if it is tried again.
func fatal(a meta.Attempt) *audience.Error {
	if a.Deaths < mostDeaths {
		return nil
	}
	what := "it did this work"
	if len(a.Files) > 0 {
		what = "it read " + strings.Join(a.Files, ", ")
	}
	return audience.Errorf(audience.Invalid, "the server's process ended %d times (last: %s) while %s; this is not tried again. Check the file, and write it "+
		"again in smaller parts, or give the server more memory; then start another run", a.Deaths, a.Cause, what)
}

// suspect waits until no other task or run during which a process died is in progress, and opens the attempt. So if the
// process dies again, the cause is known.
func (s *Service) suspect(ctx context.Context, id string) (done func(), err error) {
	select {
	case s.suspects <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	done = func() { <-s.suspects }
	if err := s.cfg.Store.Update(ctx, func(tx meta.Tx) error { return tx.OpenAttempt(ctx, id, s.cfg.Worker) }); err != nil {
		done()
		return nil, fmt.Errorf("open an attempt at %s: %w", id, err)
	}
	return done, nil
}

// takeUp opens an attempt in the transaction that takes the lease, unless a process died during the work before. Then
// suspect opens the attempt.
func (s *Service) takeUp(ctx context.Context, tx meta.LeasesTx, id string) (meta.Attempt, error) {
	a, err := tx.Attempt(ctx, id)
	if err == nil && a.Deaths == 0 {
		err = tx.OpenAttempt(ctx, id, s.cfg.Worker)
	}
	return a, err
}
