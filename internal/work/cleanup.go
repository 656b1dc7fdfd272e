package work

import (
	"context"
	"fmt"
	"slices"

	"roster/internal/audience"
	"roster/internal/lake"
	"roster/internal/meta"
	"roster/internal/profile"
)

// doCleanup removes the data of a deleted audience. A worker of another process may be in the middle of a run of the
// audience, and may write until its lease ends. So doCleanup removes the data at once, and again after any such lease has
// ended. Only then is the audience removed from the list.
func (s *Service) doCleanup(ctx context.Context, name string) error {
	id := audience.ID(name)
	uncleaned, err := s.cfg.Store.AwaitingCleanup(ctx)
	if err != nil {
		return fmt.Errorf("look for deleted audiences: %w", err)
	}
	i := slices.IndexFunc(uncleaned, func(d meta.DeletedAudience) bool { return d.ID == id })
	if i < 0 {
		return nil
	}
	d := uncleaned[i]
	worksIn(ctx, d.Scope)
	start := s.now()
	if err := s.work.stop(ctx, id); err != nil {
		return fmt.Errorf("stop the runs of deleted audience %s: %w", id, err)
	}
	if err := s.cfg.Profile.RemoveAudience(ctx, profile.Ref{Sandbox: d.SandboxNum, Audience: d.Num}); err != nil {
		return fmt.Errorf("remove the members of deleted audience %s: %w", id, err)
	}
	if err := s.cfg.Lake.Drop(ctx, lake.TableOf(d.Scope, d.ID)); err != nil {
		return fmt.Errorf("remove the dataset of deleted audience %s: %w", id, err)
	}
	if start.Sub(s.work.firstCleanup(id, start)) < leaseFor {
		return nil
	}
	if err := s.cfg.Store.Update(ctx, func(tx meta.Tx) error { return tx.MarkCleanedUp(ctx, id) }); err != nil {
		return fmt.Errorf("record that deleted audience %s is swept: %w", id, err)
	}
	s.work.cleanedUp(id)
	return nil
}
