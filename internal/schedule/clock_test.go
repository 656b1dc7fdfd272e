package schedule

import (
	"slices"
	"testing"
	"time"

	"roster/internal/audience"
)

// TestClocksPutBackAndForward follows schedules through the days on which clocks are changed: a time of day comes once
// on each day, what comes every so often goes on by the time that passes.
func TestClocksPutBackAndForward(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cron, zone, from string
		want             []string
	}{
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"}},
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		{"30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", []string{"2026-10-26T01:30:00Z"}}, // first looked at in the hour that comes twice
		{"0 0 * * *", "America/Havana", "2026-03-07T12:00:00Z", []string{"2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"}},
		{"30 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", []string{"2026-04-04T14:30:00Z", "2026-04-05T15:00:00Z"}},
		{"0 1-3 * * *", "Europe/Berlin", "2026-03-29T00:30:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-29T23:00:00Z"}},
		{"*/30 * * * *", "Europe/Berlin", "2026-10-25T00:05:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"}},
		{"0 9 * * 1-5", "Asia/Kolkata", "2026-03-06T12:00:00Z", []string{"2026-03-09T03:30:00Z", "2026-03-10T03:30:00Z"}},
		{"0 0 29 2 *", "", "2026-03-07T12:00:00Z", []string{"2028-02-29T00:00:00Z"}},
	} {
		at, err := time.Parse(time.RFC3339, c.from)
		var got []string
		for range c.want {
			if err == nil {
				at, err = nextTime(audience.Schedule{Cron: c.cron, TimeZone: c.zone}, at.Add(3*time.Second))
			}
			got = append(got, at.UTC().Format(time.RFC3339))
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s in %q: %s, %v; want %s", c.cron, c.zone, got, err, c.want)
		}
	}
	if at, err := nextTime(audience.Schedule{Cron: "0 0 31 2 *"}, time.Now()); err != nil || !at.IsZero() {
		t.Errorf("the 31st of February comes on %s, %v", at, err)
	}
}
