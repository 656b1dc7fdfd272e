package control

import (
	"context"
	"errors"
	"fmt"

	"roster/internal/audience"
	"roster/internal/meta"
)

// doTask makes a submitted audience: it checks that the path exists and creates the dataset.
func (s *Service) doTask(ctx context.Context, id audience.TaskID) error {
	now := s.now()
	var t audience.Task
	err := s.cfg.Store.Update(ctx, func(tx meta.Tx) (err error) {
		t, err = tx.AcquireTask(ctx, id, s.cfg.Worker, now, now.Add(leaseFor))
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
	if err := s.prepare(ctx, t.Draft); err != nil {
		var failure *audience.Error
		if !errors.As(err, &failure) {
			return fmt.Errorf("task %s: %w", id, err)
		}
		t.Status, t.Error = audience.Failed, failure
		s.logOf(t.Scope).Info("task failed", "task", id, "error", failure)
	}
	t.UpdatedAt = s.now()
	err = s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
		if err := tx.FinishTask(ctx, t); err != nil {
			return err
		}
		return s.taskEnded(ctx, tx, &t)
	})
	if err != nil && !notOurs(err) {
		return fmt.Errorf("end task %s: %w", id, err)
	}
	return nil
}

// prepare makes what an audience needs. An *audience.Error fails the task; any other error leaves it for later.
// The dataset comes last, so that a failed task leaves none.
func (s *Service) prepare(ctx context.Context, d audience.Audience) error {
	src, err := s.openAudience(ctx, &d)
	if err != nil {
		return err
	}
	defer src.close()
	if err := exists(ctx, src, d.Source); err != nil {
		return err
	}
	if err := s.cfg.Lake.Create(ctx, tableID(d.Scope, d.ID), d.Fields); err != nil {
		return fmt.Errorf("create the dataset: %w", err)
	}
	return nil
}
