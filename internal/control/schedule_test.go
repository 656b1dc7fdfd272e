package control_test

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/job"
)

// scheduleJob is the job that checks an audience's schedule.
func scheduleJob(a audience.Audience) job.Job {
	return job.Job{Kind: job.Schedule, ID: strconv.FormatUint(uint64(a.Num), 10)}
}

// look checks the schedule of an audience and handles the jobs that it enqueues. It returns the number of runs of the
// audience.
func (w *world) lookAt(id audience.ID) int {
	w.t.Helper()
	w.handle(scheduleJob(w.audience(id)))
	runs, total, err := w.Runs(w.t.Context(), w.editor, id, newest)
	if err != nil {
		w.t.Fatal(err)
	}
	if total > 0 && runs[0].Status == audience.Processing {
		w.handle(runJob(runs[0]))
	}
	return total
}

// schedule gives an audience a schedule.
func (w *world) schedule(id audience.ID, s audience.Schedule) {
	w.t.Helper()
	if _, err := w.UpdateAudience(w.t.Context(), w.editor, id, control.Patch{Schedule: &s}); err != nil {
		w.t.Fatal(err)
	}
}

// newest returns the newest run.
var newest = audience.RunQuery{Limit: 1, SortBy: "createdAt", Descending: true}

// set moves the clock to a time.
func (c *clock) set(at time.Time) { c.advance(at.Sub(c.now())) }

// land writes a file with a modification time to the landing zone.
func (w *world) land(name string, modified time.Time) {
	w.t.Helper()
	w.write(w.landing(name), "mail\nada@example.com\n")
	if err := os.Chtimes(w.landing(name), modified, modified); err != nil {
		w.t.Fatal(err)
	}
}

func TestScheduleByTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t) // the time is 2026-05-13 20:19 UTC
	d := draft("a")
	d.Schedule = audience.Schedule{Cron: "30 3 * * *", TimeZone: "Europe/Berlin", Full: true}
	aud := w.submit(d)
	if want := time.Date(2026, 5, 14, 1, 30, 0, 0, time.UTC); !aud.NextRunAt.Equal(want) {
		t.Fatalf("the first run is at %v, want %v", aud.NextRunAt, want)
	}
	if n := w.lookAt(aud.ID); n != 0 {
		t.Fatalf("%d runs before it is time", n)
	}
	w.clock.set(aud.NextRunAt)
	if !slices.Contains(w.due(), scheduleJob(aud)) {
		t.Error("the schedule is due and has no job")
	}
	if n := w.lookAt(aud.ID); n != 1 {
		t.Fatalf("%d runs at the time", n)
	}
	if n := w.lookAt(aud.ID); n != 1 {
		t.Fatalf("%d runs when the job runs twice", n)
	}
	runs, _, err := w.Runs(t.Context(), w.editor, aud.ID, newest)
	if err != nil || runs[0].Request.Differential || runs[0].CreatedBy != audience.SystemUser || runs[0].Request.Reason != "the schedule 30 3 * * *" {
		t.Errorf("the run is %+v, %v", runs, err)
	}
	w.clock.advance(5*24*time.Hour + time.Hour) // the server was down
	if n := w.lookAt(aud.ID); n != 2 {
		t.Fatalf("%d runs after five days: what was missed is caught up once", n)
	}
	if got, want := w.audience(aud.ID).NextRunAt, time.Date(2026, 5, 20, 1, 30, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("the next run is at %v, want %v", got, want)
	}
	w.schedule(aud.ID, audience.Schedule{Cron: "30 3 * * *", Paused: true})
	w.clock.advance(48 * time.Hour)
	if slices.Contains(w.due(), scheduleJob(aud)) {
		t.Error("a paused schedule has a job")
	}
	if n := w.lookAt(aud.ID); n != 2 {
		t.Errorf("%d runs of a paused schedule", n)
	}
	w.schedule(aud.ID, audience.Schedule{Cron: "30 3 * * *"})
	if got, want := w.audience(aud.ID).NextRunAt, time.Date(2026, 5, 21, 3, 30, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("resumed, the next run is at %v, want %v", got, want)
	}
}

// TestScheduleWaits has a schedule that waits for a file and reports the reason.
func TestScheduleWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := draft("a")
	d.Source.Path, d.Schedule = "later.csv", audience.Schedule{Cron: "0 * * * *"}
	aud := w.submit(d)
	w.clock.set(aud.NextRunAt)
	if n := w.lookAt(aud.ID); n != 0 {
		t.Fatalf("%d runs without a file", n)
	}
	waiting := w.audience(aud.ID)
	if !strings.Contains(waiting.ScheduleNote, "later.csv") || !waiting.NextRunAt.After(aud.NextRunAt) {
		t.Errorf("%q, next at %v", waiting.ScheduleNote, waiting.NextRunAt)
	}
	w.land("later.csv", w.clock.now())
	w.clock.set(waiting.NextRunAt)
	if n := w.lookAt(aud.ID); n != 1 {
		t.Errorf("%d runs once the file is there", n)
	}
	if note := w.audience(aud.ID).ScheduleNote; note != "" {
		t.Errorf("it says still %q", note)
	}
}

// TestScheduleBusy has a schedule that waits for a run in progress.
func TestScheduleBusy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := draft("a")
	d.Schedule = audience.Schedule{Cron: "0 * * * *"}
	aud := w.submit(d)
	w.clock.set(aud.NextRunAt)
	run := w.start(aud.ID)
	w.handle(scheduleJob(aud))
	again := w.audience(aud.ID)
	if !again.NextRunAt.After(aud.NextRunAt) || again.NextRunAt.Sub(aud.NextRunAt) > time.Minute {
		t.Fatalf("it tries again at %v, was due at %v", again.NextRunAt, aud.NextRunAt)
	}
	w.handle(runJob(run))
	w.clock.set(again.NextRunAt)
	if n := w.lookAt(aud.ID); n != 2 {
		t.Errorf("%d runs after the one in progress ended", n)
	}
}

// TestScheduleByFiles starts a run for new files that have settled, and only one run for the same files.
func TestScheduleByFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := draft("a")
	d.Source.Path, d.Source.Type = "in", audience.PathFolder
	d.Schedule = audience.Schedule{OnNewFiles: true}
	w.land("in/_SUCCESS", w.clock.now())
	aud := w.submit(d)
	look := func(want int, what string) {
		t.Helper()
		w.clock.set(w.audience(aud.ID).NextRunAt)
		if n := w.lookAt(aud.ID); n != want {
			t.Fatalf("%s: %d runs, want %d", what, n, want)
		}
	}
	look(0, "nothing but a marker")
	w.land("in/a.csv", w.clock.now().Add(time.Minute))
	look(0, "a file that has not settled")
	look(1, "the file has settled")
	look(1, "nothing read: the run of this test reads no files, but it was tried")
	w.land("in/b.csv", w.clock.now())
	look(2, "another file")
	if err := os.RemoveAll(w.landing("in")); err != nil {
		t.Fatal(err)
	}
	look(2, "the folder is gone")
	w.land("in/c.csv", w.clock.now())
	look(3, "it is back")
}

func TestBadSchedules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, s := range map[string]audience.Schedule{
		"schedule":           {Cron: "0 3 * * *", OnNewFiles: true},
		"schedule.cron":      {Cron: "@daily"},
		"schedule.cron ":     {Cron: "0 0 31 2 *"},
		"schedule.cron   ":   {Cron: "TZ=UTC 0 3 * * *"},
		"schedule.cron  ":    {Cron: "0 0 3 * * *"},
		"schedule.timeZone":  {Cron: "0 3 * * *", TimeZone: "Mars/Olympus"},
		"schedule.timeZone ": {TimeZone: "Europe/Berlin"},
	} {
		d := draft("a")
		d.Schedule = s
		_, err := w.Submit(t.Context(), w.editor, d)
		wantCode(t, path, err, audience.Invalid)
		if e := audience.AsError(err); len(e.Problems) != 1 || e.Problems[0].Path+"   "[:len(path)-len(e.Problems[0].Path)] != path {
			t.Errorf("%+v: problems %+v, want %s", s, e.Problems, path)
		}
	}
}
