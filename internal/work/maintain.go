package work

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"roster/internal/audience"
	"roster/internal/ingest"
	"roster/internal/job"
	"roster/internal/lake"
	"roster/internal/landing"
	"roster/internal/launch"
	"roster/internal/meta"
)

const (
	// maintainEvery is the interval of the maintenance of an audience, and of the retention.
	maintainEvery = 24 * time.Hour
	// firstRetention is the time from the start of a process to its first retention.
	firstRetention = 10 * time.Minute
	// maintainAtOnce limits how many due audiences one query returns.
	maintainAtOnce = 100
)

// maintenance returns the maintenance jobs that are due.
func (s *Service) maintenance(ctx context.Context, now time.Time) ([]job.Job, error) {
	if !s.cfg.ClockTrusted() {
		return nil, nil // do not remove data because of a wrong clock
	}
	due, err := s.cfg.Store.Unmaintained(ctx, now.Add(-maintainEvery), maintainAtOnce)
	if err != nil {
		return nil, fmt.Errorf("look for audiences to maintain: %w", err)
	}
	var jobs []job.Job
	for _, a := range due {
		// A new audience is not maintained right after its first runs.
		if now.Sub(a.CreatedAt) >= maintainEvery {
			jobs = append(jobs, job.Job{Kind: job.Maintain, ID: strconv.FormatUint(uint64(a.Num), 10)})
		}
	}
	if s.work.retentionDue(now) {
		jobs = append(jobs, job.Job{Kind: job.Retention, ID: "all"})
	}
	if s.work.verifyDue() {
		jobs = append(jobs, job.Job{Kind: job.Verify, ID: "all"})
	}
	return jobs, nil
}

// doMaintain maintains an audience, and starts an expire run if members have expired. An audience with a run in
// progress is maintained later.
func (s *Service) doMaintain(ctx context.Context, number string) error {
	aud, err := s.numbered(ctx, number)
	if errors.Is(err, meta.ErrNotFound) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	worksIn(ctx, aud.Scope)
	start := s.now()
	if start.Sub(aud.MaintainedAt) < maintainEvery || !s.cfg.ClockTrusted() {
		return nil
	}
	done, err := s.cfg.Pipeline.Maintain(ctx, ingest.Upkeep{
		Table: lake.TableOf(aud.Scope, aud.ID), Audience: &aud, Keep: s.cfg.UndoWindow,
		Runs: audienceRuns{s, &aud},
	})
	if errors.Is(err, ingest.ErrBusy) {
		return nil
	}
	if dropped := s.dropped(ctx, &aud, err); dropped != nil {
		s.logOf(aud.Scope).Error("the dataset of an audience is gone; its maintenance waits", "audience", aud.ID, "error", dropped)
		return s.cfg.Store.Update(ctx, func(tx meta.Tx) error { return tx.MarkMaintained(ctx, aud.ID, start) })
	}
	for _, damage := range done.Scrubbed.Damaged {
		s.logOf(aud.Scope).Error("a file of an audience is damaged", "audience", aud.ID, "error", damage)
	}
	if err != nil {
		return fmt.Errorf("maintain audience %s: %w", aud.ID, err)
	}
	for _, f := range done.Outside {
		s.logOf(aud.Scope).Warn("another program changed the dataset of an audience; its maintenance waits until a run has adopted the change", "audience", aud.ID,
			"snapshot", f.ID, "operation", f.Operation, "engine", f.Engine)
	}
	s.logOf(aud.Scope).Info("maintained an audience", "audience", aud.ID, "compacted", done.Compacted, "moved", done.Moved, "versions", done.Versions,
		"orphans", done.Orphans, "scrubbed-files", done.Scrubbed.Files, "scrubbed-bytes", done.Scrubbed.Bytes, "overdue", done.Overdue, "expiring", done.Expiring)
	err = s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
		switch {
		case done.Adopt:
			if err := s.startRun(ctx, tx, aud, audience.RunAdopt, "another program changed the dataset", start); err != nil {
				return err
			}
		case done.Overdue:
			if err := s.startRun(ctx, tx, aud, audience.RunExpire, "members whose time is over", start); err != nil {
				return err
			}
		}
		if done.Expiring {
			if err := s.events.MembersExpiring(ctx, tx, &aud, start); err != nil {
				return err
			}
		}
		return tx.MarkMaintained(ctx, aud.ID, start)
	})
	if errors.Is(err, meta.ErrNotFound) || errors.Is(err, meta.ErrRunInProgress) {
		return nil
	}
	return err
}

// compactSoon enqueues the compaction of an audience whose files are worth it after a run that has ended. If this fails, the next run of
// the audience or its daily maintenance makes up for it.
func (s *Service) compactSoon(ctx context.Context, aud *audience.Audience) {
	worn, err := s.cfg.Pipeline.NeedsCompaction(ctx, lake.TableOf(aud.Scope, aud.ID))
	if err == nil && worn {
		err = s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
			return s.cfg.Jobs.Enqueue(ctx, tx, job.Job{Kind: job.Compact, ID: strconv.FormatUint(uint64(aud.Num), 10)})
		})
	}
	if err != nil && !errors.Is(err, lake.ErrNotExist) && ctx.Err() == nil {
		s.logOf(aud.Scope).Warn("the compaction of an audience could not be started", "audience", aud.ID, "error", err)
	}
}

// doCompact compacts the files of an audience's dataset. Runs of the audience may be in progress meanwhile.
func (s *Service) doCompact(ctx context.Context, number string) error {
	aud, err := s.numbered(ctx, number)
	if errors.Is(err, meta.ErrNotFound) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	worksIn(ctx, aud.Scope)
	_, err = s.cfg.Pipeline.Compact(ctx, lake.TableOf(aud.Scope, aud.ID), func(ctx context.Context) error { return ctx.Err() })
	if err != nil && !errors.Is(err, lake.ErrNotExist) {
		return fmt.Errorf("compact audience %s: %w", aud.ID, err)
	}
	return nil
}

// startRun starts a run of a kind that Roster starts by itself.
func (s *Service) startRun(ctx context.Context, tx meta.Tx, aud audience.Audience, kind audience.RunKind, reason string, now time.Time) error {
	run := launch.NewRun(&aud, audience.SystemUser, audience.RunRequest{Kind: kind, Differential: true, WindowEnd: now, Reason: reason}, now)
	if err := tx.CreateRun(ctx, &run); err != nil {
		return err
	}
	return s.cfg.Jobs.Enqueue(ctx, tx, job.Job{Kind: job.Run, ID: string(run.ID)})
}

// doRetention removes old data: memberships that ended too long ago to be shown, stored answers, the log of deliveries,
// and files in landing zones. It also schedules the comparison of the profile store with the datasets.
func (s *Service) doRetention(ctx context.Context, _ string) error {
	if !s.cfg.ClockTrusted() {
		return nil
	}
	start := s.now()
	removed, err := s.cfg.Profile.RemoveExited(ctx, start.Add(-audience.ExitedFor).Unix())
	if err != nil {
		return err
	}
	var answers, deliveries int64
	err = s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
		if answers, err = tx.DeleteAnswers(ctx, start.Add(-audience.KeepAnswers)); err != nil {
			return err
		}
		deliveries, err = tx.DeleteDeliveries(ctx, start.Add(-keepDeliveries))
		return err
	})
	if err != nil {
		return err
	}
	files, err := s.expireFiles(ctx, start)
	if err != nil {
		return err
	}
	if err := s.doVerify(ctx, "all"); err != nil {
		return err
	}
	s.work.retained(start)
	s.cfg.Log.Info("swept the profile store", "removed", removed, "answers", answers, "deliveries", deliveries, "files", files)
	return nil
}

// farAhead is after the end of every lease.
const farAhead = 1000 * time.Hour

// expireFiles removes the old files of landing zones. It skips sandboxes with a run in progress, because the run may be
// reading them.
func (s *Service) expireFiles(ctx context.Context, now time.Time) (int, error) {
	_, runs, err := s.cfg.Store.Unfinished(ctx, now.Add(farAhead))
	if err != nil {
		return 0, fmt.Errorf("look for runs in progress: %w", err)
	}
	return s.cfg.Landing.Expire(ctx, now.Add(-landing.TTL), func(sandbox string) bool {
		return slices.ContainsFunc(runs, func(r audience.Run) bool { return r.Scope.Sandbox == sandbox })
	})
}
