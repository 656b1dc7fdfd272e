package control

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/netresearch/go-cron"

	"roster/internal/audience"
	"roster/internal/ingest"
	"roster/internal/meta"
	"roster/internal/queue"
)

const (
	// lookEvery is how often the files of an audience are looked for that is run when there are new ones.
	lookEvery = time.Minute
	// lookAgain is when they are looked for after the source failed.
	lookAgain = 5 * time.Minute
	// busyWait is when a schedule tries again that found a run in progress.
	busyWait = 15 * time.Second
	// scheduledAtOnce bounds how many schedules a look for due ones finds.
	scheduledAtOnce = 100
)

// checkSchedule adds what is wrong with a schedule.
func checkSchedule(p *audience.Problems, s audience.Schedule) {
	if s.Cron != "" && s.OnNewFiles {
		p.Add("schedule", "has a time (cron) and new files (onNewFiles); choose one")
	}
	if s.Cron == "" && s.TimeZone != "" {
		p.Add("schedule.timeZone", "is that of schedule.cron, which is missing")
		return
	}
	if _, err := time.LoadLocation(s.TimeZone); err != nil || s.TimeZone == "Local" {
		p.Add("schedule.timeZone", "%.64q is not the IANA name of a time zone, such as Europe/Berlin", s.TimeZone)
		return
	}
	if s.Cron == "" {
		return
	}
	if at, err := nextTime(s, time.Now()); err != nil {
		p.Add("schedule.cron", "%.64q is not five fields (minute, hour, day of month, month, day of week), such as 0 3 * * *", s.Cron)
	} else if at.IsZero() {
		p.Add("schedule.cron", "%.64q never comes", s.Cron)
	}
}

var errFields = errors.New("control: a schedule does not have five fields")

// fiveFields parses what cron does, and no seconds, no names such as @daily and no time zone.
var fiveFields = cron.MustNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// nextTime is when the schedule's time comes next; zero when it never does.
func nextTime(s audience.Schedule, after time.Time) (time.Time, error) {
	zone, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		return time.Time{}, err
	}
	fields := strings.Fields(s.Cron)
	if len(fields) != 5 {
		return time.Time{}, errFields // the parser takes a time zone before them
	}
	parsed, err := fiveFields.Parse(s.Cron)
	if err != nil {
		return time.Time{}, err
	}
	if strings.HasPrefix(fields[1], "*") {
		return parsed.Next(after.In(zone)), nil // it goes by the time that passes
	}
	for wall := onWall(after.In(zone)); ; {
		if wall = parsed.Next(wall); wall.IsZero() {
			return wall, nil
		}
		if at := atWall(wall, zone); at.After(after) {
			return at, nil
		}
	}
}

// onWall is what a clock shows at a time, as a time of UTC.
func onWall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// atWall is when the clocks of a zone first show a time. One that they leave out comes as much later as they are put
// forward, so that a schedule of a time of day starts one run on every day.
func atWall(wall time.Time, zone *time.Location) time.Time {
	_, before := wall.Add(-24 * time.Hour).In(zone).Zone()
	_, after := wall.Add(24 * time.Hour).In(zone).Zone()
	first := wall.Add(-time.Duration(max(before, after)) * time.Second).In(zone)
	if onWall(first).Equal(wall) {
		return first
	}
	return wall.Add(-time.Duration(min(before, after)) * time.Second).In(zone)
}

// nextLook is when a schedule is looked at next, after now. It is the zero time for one that starts no runs. Times that
// have passed meanwhile are passed over: whatever was missed is caught up by one run.
func nextLook(s audience.Schedule, now time.Time) time.Time {
	switch {
	case !s.Active():
		return time.Time{}
	case s.OnNewFiles:
		return now.Add(lookEvery)
	}
	at, err := nextTime(s, now)
	if err != nil {
		return time.Time{} // it was checked when it was stored
	}
	return at.UTC()
}

// scheduled returns the jobs of the schedules that are due.
func (s *Service) scheduled(ctx context.Context, now time.Time) ([]queue.Job, error) {
	due, err := s.cfg.Store.Scheduled(ctx, now, scheduledAtOnce)
	if err != nil {
		return nil, fmt.Errorf("look for schedules that are due: %w", err)
	}
	var jobs []queue.Job
	for _, num := range due {
		jobs = append(jobs, queue.Job{Kind: queue.ScheduleJob, ID: strconv.FormatUint(uint64(num), 10)})
	}
	return jobs, nil
}

// doSchedule looks at the schedule of an audience and starts its run if it is time.
func (s *Service) doSchedule(ctx context.Context, number string) error {
	num, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return fmt.Errorf("schedule of audience number %q: %w", number, err)
	}
	aud, err := s.cfg.Store.AudienceByNum(ctx, uint32(num))
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
	next := plan{run: true, at: nextLook(aud.Schedule, now), tried: aud.ScheduleTried}
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

// plan is what a schedule does now, and when it is looked at next.
type plan struct {
	run   bool
	at    time.Time
	tried string // the new files that a run was started for last
	note  string // why no run is started
}

// waitForFiles has a schedule start no run while there is nothing at the audience's path: the run could only fail. Whatever else is
// wrong with the source fails the run, which says so.
func (s *Service) waitForFiles(ctx context.Context, aud *audience.Audience, next *plan) error {
	src, err := s.openAudience(ctx, aud)
	if err != nil {
		return ctx.Err()
	}
	defer src.close()
	if next.note, err = exists(ctx, src, aud.Source); err == nil && next.note != "" {
		next.run = false
		s.logOf(aud.Scope).Info("a schedule waits for files", "audience", aud.ID)
	}
	return ctx.Err()
}

// lookForFiles decides whether there are new files. A run is started once for the same ones: if it fails, another one
// would as well.
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

// pending returns a fingerprint of the files that a run of the audience would read now and none has read.
func (s *Service) pending(ctx context.Context, aud *audience.Audience, now time.Time) (string, error) {
	src, err := s.openAudience(ctx, aud)
	if err != nil {
		return "", err
	}
	defer src.close()
	return ingest.Pending(ctx, &ingest.Spec{
		Run: audience.Run{Request: audience.RunRequest{Differential: true, WindowEnd: now}}, Audience: *aud, Source: src.Store, Settle: s.settle(aud).For(src.Store),
		ReadBefore: func(ctx context.Context, files []audience.PlannedFile) (map[string]bool, error) {
			return s.cfg.Store.ReadObjects(ctx, aud.ID, files)
		},
	})
}

// follow does what a schedule plans, unless the schedule was changed meanwhile. While a run is in progress, or a
// guardrail is reached, it waits.
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
	run := newRun(aud, audience.SystemUser, audience.RunRequest{Differential: !aud.Schedule.Full, WindowEnd: now, Reason: reason})
	run.CreatedAt, run.UpdatedAt = now, now
	if err := s.withinGuardrails(ctx, tx, aud.Scope, aud.ID, run.Request, now); err != nil {
		return err
	}
	if err := tx.CreateRun(ctx, &run); err != nil {
		return err
	}
	d := s.newAuditedChange(audience.Actor{ClientID: audience.SystemUser, Scope: aud.Scope}, audience.RunStart, "")
	d.about(&aud)
	d.changes(nil, runFacts(&run))
	if err := d.record(ctx, tx); err != nil {
		return err
	}
	return s.enqueue(ctx, tx, queue.Job{Kind: queue.RunJob, ID: string(run.ID)})
}
