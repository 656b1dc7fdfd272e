package work

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"roster/internal/audience"
	"roster/internal/job"
	"roster/internal/meta"
)

// leavingSandboxes returns the jobs of the sandboxes to empty.
func (s *Service) leavingSandboxes(ctx context.Context) ([]job.Job, error) {
	list, err := s.cfg.Store.LeavingSandboxes(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for sandboxes to empty: %w", err)
	}
	var jobs []job.Job
	for _, sb := range list {
		jobs = append(jobs, job.OfSandbox(sb.Num))
	}
	return jobs, nil
}

// doSandbox empties a sandbox as far as possible now; Recover enqueues the rest.
func (s *Service) doSandbox(ctx context.Context, num string) error {
	list, err := s.cfg.Store.LeavingSandboxes(ctx)
	if err != nil {
		return fmt.Errorf("look for sandboxes to empty: %w", err)
	}
	i := slices.IndexFunc(list, func(sb audience.Sandbox) bool { return job.OfSandbox(sb.Num).ID == num })
	if i < 0 {
		return nil
	}
	scope := audience.Scope{Org: list[i].Org, Sandbox: list[i].Name}
	worksIn(ctx, scope)
	if err := s.deleteAudiences(ctx, scope); err != nil {
		return fmt.Errorf("delete the audiences of sandbox %s: %w", scope.Sandbox, err)
	}
	if cleared, err := s.clearSandbox(ctx, scope, nil); err != nil || !cleared {
		return err
	}
	if err := s.cfg.Landing.Clear(ctx, scope.Sandbox); err != nil {
		return err
	}
	cleared, err := s.clearSandbox(ctx, scope, func(tx meta.Tx, state audience.SandboxState) error {
		if state == audience.SandboxResetting {
			return tx.SetSandboxState(ctx, scope, audience.SandboxActive)
		}
		return tx.DeleteSandbox(ctx, scope)
	})
	s.cfg.Changed()
	if err == nil && cleared {
		s.logOf(scope).Info("emptied a sandbox")
	}
	return err
}

// clearSandbox removes the remaining data of a closed sandbox without audiences, and calls then, unless it is nil, in
// the same transaction. It returns false and removes nothing if something has to end first.
func (s *Service) clearSandbox(ctx context.Context, scope audience.Scope, then func(meta.Tx, audience.SandboxState) error) (cleared bool, err error) {
	err = s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
		cleared = false
		sb, err := tx.Sandbox(ctx, scope)
		if errors.Is(err, meta.ErrNotFound) || err == nil && !sb.State.Leaving() {
			return nil // another worker has emptied it
		}
		if err != nil {
			return err
		}
		if cleared, err = tx.ClearSandbox(ctx, scope); err != nil || !cleared || then == nil {
			return err
		}
		return then(tx, sb.State)
	})
	if err != nil {
		return false, fmt.Errorf("empty sandbox %s: %w", scope.Sandbox, err)
	}
	return cleared, nil
}

// deletedAtOnce is how many audiences one transaction deletes.
const deletedAtOnce = 100

// deleteAudiences deletes all audiences of a sandbox.
func (s *Service) deleteAudiences(ctx context.Context, scope audience.Scope) error {
	defer s.cfg.Changed()
	for {
		list, _, err := s.cfg.Store.Audiences(ctx, scope, audience.AudienceQuery{Limit: deletedAtOnce, NoTotal: true})
		if err != nil || len(list) == 0 {
			return err
		}
		err = s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
			for _, a := range list {
				err := tx.DeleteAudience(ctx, scope, a.ID)
				if errors.Is(err, meta.ErrNotFound) {
					continue
				}
				if err != nil {
					return err
				}
				if err := s.cfg.Jobs.Enqueue(ctx, tx, job.Job{Kind: job.Cleanup, ID: string(a.ID)}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}
