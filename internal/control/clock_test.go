package control_test

import (
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/job"
)

// TestDoubtedClock makes maintenance due by a clock that is not trusted.
func TestDoubtedClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	trusted := true
	cfg := w.config("worker-1")
	cfg.ClockTrusted = func() bool { return trusted }
	w.use(cfg)
	a := w.submit(draft("a"))
	w.handle(job.Job{Kind: job.Run, ID: string(w.start(a.ID).ID)})
	w.clock.advance(365 * 24 * time.Hour)
	jobs := w.due()
	if len(jobs) == 0 {
		t.Fatal("nothing is due a year later")
	}
	trusted = false
	for _, j := range jobs { // enqueued just before the clock was checked
		w.handle(j)
	}
	if again := w.due(); len(again) != 0 || len(w.pipeline.upkeeps) != 0 || len(w.profile.sweeps) != 0 {
		t.Errorf("by a doubted clock %v are due, and were done %v, %v", again, w.pipeline.upkeeps, w.profile.sweeps)
	}
	trusted = true
	for _, j := range jobs {
		w.handle(j)
	}
	if len(w.pipeline.upkeeps) != 1 || len(w.profile.sweeps) != 1 {
		t.Errorf("later %v, %v", w.pipeline.upkeeps, w.profile.sweeps)
	}
}

// TestSchedulesAfterTheClockWasAhead sets a schedule while the clock is a year ahead. When the clock is right again,
// the schedule starts its run on time.
func TestSchedulesAfterTheClockWasAhead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const year = 365 * 24 * time.Hour
	d := draft("a")
	d.Schedule = audience.Schedule{Cron: "0 3 * * *", TimeZone: "UTC"}
	w.clock.advance(year)
	a := w.submit(d)
	w.clock.advance(-year)
	if err := w.ResetFutureTimes(t.Context()); err != nil {
		t.Fatal(err)
	}
	now, err := w.Audience(t.Context(), w.editor, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if wait := now.NextRunAt.Sub(w.clock.now()); wait <= 0 || wait > 24*time.Hour {
		t.Errorf("the next run is in %v", wait)
	}
}
