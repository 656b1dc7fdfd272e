// Package schedule says when the schedule of an audience starts a run.
package schedule

import (
	"errors"
	"strings"
	"time"

	"github.com/netresearch/go-cron"

	"roster/internal/audience"
)

// lookEvery is how often the files of an audience are looked for that is run when there are new ones.
const lookEvery = time.Minute

var errFields = errors.New("schedule: there are not five fields")

// fiveFields parses what cron does, and no seconds, no names such as @daily and no time zone.
var fiveFields = cron.MustNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// Check adds what is wrong with a schedule.
func Check(p *audience.Problems, s audience.Schedule) {
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

// Next is when a schedule is looked at next, after now. It is the zero time for one that starts no runs. Times that
// have passed meanwhile are passed over: whatever was missed is caught up by one run.
func Next(s audience.Schedule, now time.Time) time.Time {
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
