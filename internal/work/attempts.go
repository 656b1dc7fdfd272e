package work

import (
	"context"
	"fmt"
	"strings"

	"roster/internal/audience"
	"roster/internal/meta"
)

// mostDeaths is how often a process may end by a fault of its own while it does a task or a run, until that is failed
// and not tried again.
const mostDeaths = 2

// Death is the end of a process that nobody asked for.
type Death struct {
	Worker string              // Worker of the Service that ended with it
	Cause  string              // in words; "" when the process was killed from outside, which is nobody's fault
	Files  map[string][]string // that were being read, by run
}

// Worker returns the name of this process in leases.
func (s *Service) Worker() string { return s.cfg.Worker }

// Mourn counts the death of the process before against the tasks and runs that it was doing, and returns how many these
// were. It is called before work is taken up.
func (s *Service) Mourn(ctx context.Context, d Death) (n int, err error) {
	err = s.cfg.Store.Update(ctx, func(tx meta.Tx) (err error) {
		n, err = tx.CountDeath(ctx, d.Worker, d.Cause, d.Files)
		return err
	})
	return n, err
}

// fatal is why a task or a run is not tried again, nil when it is.
func fatal(a meta.Attempt) *audience.Error {
	if a.Deaths < mostDeaths {
		return nil
	}
	what := "it did this work"
	if len(a.Files) > 0 {
		what = "it read " + strings.Join(a.Files, ", ")
	}
	return audience.Errorf(audience.Invalid, "the server's process ended %d times (last: %s) while %s; this is not tried again. Look whether the file is what it should be, and write it "+
		"anew, in smaller parts, or give the server more memory; then start another run", a.Deaths, a.Cause, what)
}

// suspect waits until no other task or run that a process died of is being done, and opens the attempt: when the
// process dies again, it is known of which one.
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

// takeUp opens an attempt in the transaction that takes the lease, unless a process died of the work before: suspect
// opens that one.
func (s *Service) takeUp(ctx context.Context, tx meta.LeasesTx, id string) (meta.Attempt, error) {
	a, err := tx.Attempt(ctx, id)
	if err == nil && a.Deaths == 0 {
		err = tx.OpenAttempt(ctx, id, s.cfg.Worker)
	}
	return a, err
}
