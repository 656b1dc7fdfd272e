package work

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"roster/internal/audience"
	"roster/internal/connect"
	"roster/internal/ingest"
	"roster/internal/job"
	"roster/internal/lake"
	"roster/internal/meta"
)

// errDeleted ends the run of an audience that was deleted. errLeaseLost ends a run that another worker may have taken
// over.
var (
	errDeleted   = errors.New("work: the audience was deleted")
	errLeaseLost = errors.New("work: the lease of the run could not be renewed")
)

// doRun completes a run, from wherever an earlier attempt left it.
func (s *Service) doRun(ctx context.Context, name string) error {
	id := audience.RunID(name)
	spec, before, err := s.claim(ctx, id)
	if notOurs(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("take run %s: %w", id, err)
	}
	worksIn(ctx, spec.Run.Scope)
	s.work.works(job.Job{Kind: job.Run, ID: name}, spec.Audience.ID)
	leased, stop := s.keepLease(ctx, id)
	s.describe(leased, &spec)
	run, err := s.attempt(leased, before, spec)
	if err == nil {
		err = s.finish(leased, run)
	}
	stop()
	if cause := context.Cause(leased); notOurs(err) || notOurs(cause) || errors.Is(cause, errDeleted) {
		s.logOf(spec.Run.Scope).Info("the run belongs to another worker now", "run", id)
		return nil
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", id, err)
	}
	// The erasure rewrites files itself after its run, and would have to wait for a compaction.
	if run.Status == audience.Success && !run.Request.DryRun && !run.Request.Traits().Erases {
		s.compactSoon(ctx, &spec.Audience)
	}
	return nil
}

// describe brings the description of the audience in the metadata of its table up to date. The table is good without:
// the next run tries again.
func (s *Service) describe(ctx context.Context, spec *ingest.Spec) {
	if spec.Run.Request.DryRun {
		return
	}
	if err := s.cfg.Lake.Describe(ctx, spec.Table, spec.Audience.Name); err != nil && ctx.Err() == nil {
		s.logOf(spec.Run.Scope).Warn("the description of the audience's table was not brought up to date", "audience", spec.Audience.ID, "error", err)
	}
}

// claim takes the run's lease and returns the pipeline's specification without the source.
func (s *Service) claim(ctx context.Context, id audience.RunID) (spec ingest.Spec, before meta.Attempt, err error) {
	now := s.now()
	err = s.cfg.Store.Update(ctx, func(tx meta.Tx) (err error) {
		if spec.Run, err = tx.AcquireRun(ctx, id, s.cfg.Worker, now, now.Add(leaseFor)); err != nil {
			return err
		}
		if before, err = s.takeUp(ctx, tx, string(id)); err != nil {
			return err
		}
		if spec.Audience, err = tx.Audience(ctx, spec.Run.Scope, spec.Run.AudienceID); err != nil {
			return err
		}
		if spec.Run.Request.Traits().Erases {
			if spec.Erase, err = s.eraseKeys(ctx, tx, &spec.Run); err != nil {
				return err
			}
		}
		if spec.Suppressed, err = s.suppressed(ctx, tx, &spec.Run); err != nil {
			return err
		}
		sandbox, err := tx.Sandbox(ctx, spec.Run.Scope)
		spec.SandboxNum = sandbox.Num
		return err
	})
	spec.Table = lake.TableOf(spec.Audience.Scope, spec.Audience.ID)
	spec.Host = runHost{s: s, aud: &spec.Audience, run: id}
	spec.Keep = s.cfg.UndoWindow
	spec.Settle = s.cfg.Sources.SettleRule(&spec.Audience)
	return spec, before, err
}

// attempt executes the pipeline and returns the ended run, or an error if the run cannot end now. A run during which
// processes died is executed alone, and refused after too many deaths.
func (s *Service) attempt(ctx context.Context, before meta.Attempt, spec ingest.Spec) (audience.Run, error) {
	if before.Deaths > 0 {
		done, err := s.suspect(ctx, string(spec.Run.ID))
		if err != nil {
			return spec.Run, err
		}
		defer done()
	}
	if !spec.Run.Request.Traits().Persistent { // an erasure is done in any case
		spec.Refused = fatal(before)
	}
	src, err := s.openRun(ctx, &spec)
	var failure *audience.Error
	switch {
	case errors.As(err, &failure) && ctx.Err() == nil:
		spec.Refused = failure // a run that was committed ends without its files
	case err != nil:
		return spec.Run, err
	default:
		defer src.Close()
	}
	spec.Source, spec.Settle = src.Store, spec.Settle.For(src.Store)
	run, err := s.cfg.Pipeline.Run(ctx, spec)
	if err == nil && !audience.RunLifecycle.CanMove(spec.Run.Status, run.Status) {
		err = fmt.Errorf("the pipeline left the run %s", run.Status)
	}
	return run, err
}

// openRun opens the store that a run reads: that of its audience, the landing zone for a corrected file, or none for a
// run without files. Its errors are those of openAudience.
func (s *Service) openRun(ctx context.Context, spec *ingest.Spec) (connect.Files, error) {
	switch spec.Run.Request.Traits().Input {
	case audience.FromMembers, audience.FromVersion, audience.FromOutside:
		return connect.Files{}, nil
	case audience.FromFile:
		return s.cfg.Sources.Open(ctx, spec.Run.Scope, nil)
	}
	spec.Keys = s.cfg.Sources.Keys(spec.Run.Scope, spec.Audience.Source.Encryption)
	return s.cfg.Sources.OpenAudience(ctx, &spec.Audience)
}

// finish records the end of a run, also if the process was told to stop meanwhile.
func (s *Service) finish(ctx context.Context, r audience.Run) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewEvery)
	defer cancel()
	r.UpdatedAt = s.now()
	var aud audience.Audience
	err := s.cfg.Store.Update(ctx, func(tx meta.Tx) (err error) {
		if err := tx.FinishRun(ctx, r, s.cfg.Worker); err != nil {
			return err
		}
		if err := tx.EndAttempts(ctx, string(r.ID)); err != nil {
			return err
		}
		if r.Request.Traits().Erases {
			if err := s.cfg.Jobs.Enqueue(ctx, tx, job.OfErasures(r.Scope)); err != nil {
				return err
			}
		}
		if aud, err = tx.Audience(ctx, r.Scope, r.AudienceID); err != nil {
			return err
		}
		return s.events.RunEnded(ctx, tx, &aud, &r)
	})
	if err == nil {
		s.cfg.Changed()
		if r.Request.Traits().Input == audience.FromFile {
			s.cfg.Sources.RemoveCorrected(r.Scope, r.Request.File)
		}
		s.cfg.Observer.RunEnded(&r)
		s.logRun(&aud, &r)
	}
	return err
}

// keepLease renews the run's lease until stop is called. It cancels the context when the run belongs to another worker,
// and when the store did not answer for so long that this is possible.
func (s *Service) keepLease(ctx context.Context, id audience.RunID) (leased context.Context, stop func()) {
	leased, cancel := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() {
		tick := time.NewTicker(renewEvery)
		defer tick.Stop()
		for held := time.Now(); ; {
			select {
			case <-leased.Done():
				return
			case <-tick.C:
			}
			start := time.Now()
			err := s.renew(leased, id)
			switch {
			case err == nil:
				held = start
			case notOurs(err):
				cancel(err)
			case time.Since(held) >= leaseFor-renewEvery:
				cancel(errors.Join(errLeaseLost, err))
			}
		}
	})
	return leased, func() {
		cancel(context.Canceled)
		renewing.Wait()
	}
}

func (s *Service) renew(ctx context.Context, id audience.RunID) error {
	ctx, cancel := context.WithTimeout(ctx, renewEvery)
	defer cancel()
	now := s.now()
	return s.cfg.Store.Update(ctx, func(tx meta.Tx) error { return tx.RenewRun(ctx, id, s.cfg.Worker, now, now.Add(leaseFor)) })
}
