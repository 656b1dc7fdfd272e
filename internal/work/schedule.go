package work

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"roster/internal/audience"
	"roster/internal/connect"
	"roster/internal/ingest"
	"roster/internal/job"
	"roster/internal/launch"
	"roster/internal/meta"
	"roster/internal/schedule"
)

const (
	// lookAgain is the wait after a failure of the source.
	lookAgain = 5 * time.Minute
	// busyWait is the wait after a schedule found a run in progress.
	busyWait = 15 * time.Second
	// scheduledAtOnce limits how many due schedules one query returns.
	scheduledAtOnce = 100
)

// scheduled returns the jobs of the schedules that are due.
func (s *Service) scheduled(ctx context.Context, now time.Time) ([]job.Job, error) {
	due, err := s.cfg.Store.Scheduled(ctx, now, scheduledAtOnce)
	if err != nil {
		return nil, fmt.Errorf("look for schedules that are due: %w", err)
	}
	var jobs []job.Job
	for _, num := range due {
		jobs = append(jobs, job.Job{Kind: job.Schedule, ID: strconv.FormatUint(uint64(num), 10)})
	}
	return jobs, nil
}

// doSchedule checks the schedule of an audience and starts its run if it is due.
func (s *Service) doSchedule(ctx context.Context, number string) error {
	aud, err := s.numbered(ctx, number)
	if errors.Is(err, meta.ErrNotFound) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	worksIn(ctx, aud.Scope)
	now := s.now()
	if aud.NextRunAt.IsZero() || aud.NextRunAt.After(now) {
		return nil
	}
	next := plan{run: true, at: schedule.Next(aud.Schedule, now), tried: aud.ScheduleTried}
	if aud.Schedule.OnNewFiles {
		next, err = s.lookForFiles(ctx, &aud, next, now)
	} else {
		err = s.waitForFiles(ctx, &aud, &next)
	}
	if err != nil {
		return err
	}
	return s.follow(ctx, aud, next, now)
}

// plan is the action of a schedule now, and the time of its next check.
type plan struct {
	run   bool
	at    time.Time
	tried string // fingerprint of the new files for which the last run was started
	note  string // reason why no run is started
}

// waitForFiles prevents a run while there is nothing at the audience's path, because that run could only fail. Other
// problems of the source fail the run, whose error describes them.
func (s *Service) waitForFiles(ctx context.Context, aud *audience.Audience, next *plan) error {
	src, err := s.cfg.Sources.OpenAudience(ctx, aud)
	if err != nil {
		return ctx.Err()
	}
	defer src.Close()
	if next.note, err = connect.Exists(ctx, src, aud.Source); err == nil && next.note != "" {
		next.run = false
		s.logOf(aud.Scope).Info("a schedule waits for files", "audience", aud.ID)
	}
	return ctx.Err()
}

// lookForFiles decides whether there are new files. It starts only one run for the same files: if that fails, another
// one would fail, too.
func (s *Service) lookForFiles(ctx context.Context, aud *audience.Audience, next plan, now time.Time) (plan, error) {
	found, err := s.pending(ctx, aud, now)
	if ctx.Err() != nil {
		return next, ctx.Err()
	}
	if err != nil {
		s.logOf(aud.Scope).Warn("look for new files of an audience", "audience", aud.ID, "error", audience.AsError(err).Message)
		next.run, next.at, next.note = false, now.Add(lookAgain), audience.AsError(err).Message
		return next, nil
	}
	next.run = found != "" && found != aud.ScheduleTried
	if next.run {
		next.tried = found
	}
	return next, nil
}

// pending returns a fingerprint of the files that a run of the audience would read now and no run has read.
func (s *Service) pending(ctx context.Context, aud *audience.Audience, now time.Time) (string, error) {
	src, err := s.cfg.Sources.OpenAudience(ctx, aud)
	if err != nil {
		return "", err
	}
	defer src.Close()
	return ingest.Pending(ctx, &ingest.Spec{
		Run: audience.Run{Request: audience.RunRequest{Differential: true, WindowEnd: now}}, Audience: *aud, Source: src.Store, Settle: s.cfg.Sources.SettleRule(aud).For(src.Store),
		Host: runHost{s: s, aud: aud},
	})
}

// follow executes a schedule's plan, unless the schedule was changed meanwhile. It waits while a run is in progress or
// a guardrail is reached.
func (s *Service) follow(ctx context.Context, aud audience.Audience, next plan, now time.Time) error {
	err := s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
		current, err := tx.AudienceByNum(ctx, aud.Num)
		if err != nil {
			return err
		}
		if !current.NextRunAt.Equal(aud.NextRunAt) || current.Schedule != aud.Schedule {
			return nil
		}
		if next.run && current.State.TakesRuns() {
			err := s.startScheduled(ctx, tx, current, now)
			var many *audience.Error
			switch {
			case errors.Is(err, meta.ErrRunInProgress):
				next.at, next.tried = now.Add(busyWait), aud.ScheduleTried
			case errors.As(err, &many) && many.Code == audience.TooMany:
				next.at, next.tried = now.Add(many.RetryAfter), aud.ScheduleTried
			case err != nil:
				return err
			}
		}
		return tx.MarkScheduled(ctx, aud.ID, next.at, next.tried, next.note)
	})
	if errors.Is(err, meta.ErrNotFound) {
		return nil
	}
	return err
}

func (s *Service) startScheduled(ctx context.Context, tx meta.Tx, aud audience.Audience, now time.Time) error {
	reason := "new files"
	if aud.Schedule.Cron != "" {
		reason = "the schedule " + aud.Schedule.Cron
	}
	run := launch.NewRun(&aud, audience.SystemUser, audience.RunRequest{Differential: !aud.Schedule.Full, WindowEnd: now, Reason: reason}, now)
	if s.cfg.Guardrails {
		if err := launch.WithinGuardrails(ctx, tx, aud.Scope, aud.ID, run.Request, now); err != nil {
			return err
		}
	}
	if err := tx.CreateRun(ctx, &run); err != nil {
		return err
	}
	entry := audience.NewAuditEntry(audience.Actor{ClientID: audience.SystemUser, Scope: aud.Scope}, audience.RunStart, string(aud.ID))
	entry.Outcome = audience.Done
	entry.Label(&aud)
	entry.Changes(nil, audience.RunFacts(&run))
	if err := meta.Record(ctx, tx, entry, now); err != nil {
		return err
	}
	return s.cfg.Jobs.Enqueue(ctx, tx, job.Job{Kind: job.Run, ID: string(run.ID)})
}
