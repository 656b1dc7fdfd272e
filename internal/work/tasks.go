package work

import (
	"context"
	"errors"
	"fmt"

	"roster/internal/audience"
	"roster/internal/connect"
	"roster/internal/lake"
	"roster/internal/meta"
)

// doTask creates a submitted audience: it checks that its files can be looked for and creates the dataset.
func (s *Service) doTask(ctx context.Context, name string) error {
	id := audience.TaskID(name)
	now := s.now()
	var t audience.Task
	var before meta.Attempt
	err := s.cfg.Store.Update(ctx, func(tx meta.Tx) (err error) {
		if t, err = tx.AcquireTask(ctx, id, s.cfg.Worker, now, now.Add(leaseFor)); err != nil {
			return err
		}
		before, err = s.takeUp(ctx, tx, string(id))
		return err
	})
	if notOurs(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("take task %s: %w", id, err)
	}
	worksIn(ctx, t.Scope)
	if !audience.TaskLifecycle.CanMove(t.Status, audience.Success) {
		return nil
	}
	t.Status = audience.Success
	if t.Warnings, err = s.prepareAfter(ctx, before, id, t.Draft); err != nil {
		var failure *audience.Error
		if !errors.As(err, &failure) {
			return fmt.Errorf("task %s: %w", id, err)
		}
		t.Status, t.Error, t.Warnings = audience.Failed, failure, nil
	}
	t.UpdatedAt = s.now()
	err = s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
		if err := tx.FinishTask(ctx, t); err != nil {
			return err
		}
		if err := tx.EndAttempts(ctx, string(t.ID)); err != nil {
			return err
		}
		return s.events.TaskEnded(ctx, tx, &t)
	})
	if notOurs(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("end task %s: %w", id, err)
	}
	s.logTask(&t)
	return nil
}

// prepareAfter is prepare for a task during which processes may have died.
func (s *Service) prepareAfter(ctx context.Context, before meta.Attempt, id audience.TaskID, d audience.Audience) ([]audience.Warning, error) {
	if failure := fatal(before); failure != nil {
		return nil, failure
	}
	if before.Deaths > 0 {
		done, err := s.suspect(ctx, string(id))
		if err != nil {
			return nil, err
		}
		defer done()
	}
	return s.prepare(ctx, d)
}

// prepare creates the parts of an audience. An *audience.Error fails the task; any other error leaves it for later. The
// dataset comes last, so that a failed task leaves none.
func (s *Service) prepare(ctx context.Context, d audience.Audience) ([]audience.Warning, error) {
	absent, err := s.lookFor(ctx, &d)
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Lake.Create(ctx, lake.TableOf(d.Scope, d.ID), d.Name, d.Fields); err != nil {
		return nil, fmt.Errorf("create the dataset: %w", err)
	}
	warnings := d.RoleWarnings()
	if absent != "" {
		warnings = append([]audience.Warning{{Code: audience.WarnPathAbsent, Detail: absent + "; runs fail until it is there"}}, warnings...)
	}
	return warnings, nil
}

// lookFor looks for the audience's path, within the time limit of a look; see exists.
func (s *Service) lookFor(ctx context.Context, d *audience.Audience) (absent string, err error) {
	within, done := context.WithTimeout(ctx, connect.LookWithin)
	defer done()
	src, err := s.cfg.Sources.OpenAudience(within, d)
	if err == nil {
		absent, err = connect.Exists(within, src, d.Source)
		src.Close()
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return "", audience.Errorf(audience.BadGateway, "the source did not answer within %s; check the connection, then submit the audience again", connect.LookWithin)
	}
	return absent, err
}
