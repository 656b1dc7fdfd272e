package ingest_test

import (
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/ingest"
)

// TestAgeing has members that expire on different days, until a full run renews the members in its files.
func TestAgeing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	first := w.now
	ttl := w.aud.TTL()
	w.put("1.csv", "mail\na@x.org\n")
	w.mustRun(false)
	w.now = first.Add(10 * 24 * time.Hour)
	w.put("2.csv", "mail\nb@x.org\n")
	w.mustRun(false)
	keep := ingest.Upkeep{Table: w.table, Audience: &w.aud, Keep: 365 * 24 * time.Hour, Runs: allRuns}
	want := func(what string, at time.Time, overdue, expiring bool) {
		t.Helper()
		w.now = at
		m, err := w.pipeline.Maintain(t.Context(), keep)
		if err != nil {
			t.Fatal(err)
		}
		if m.Overdue != overdue || m.Expiring != expiring {
			t.Errorf("%s: overdue %v and expiring %v, want %v and %v", what, m.Overdue, m.Expiring, overdue, expiring)
		}
	}
	const soon = audience.ExpiringWithin
	a, b := first.Add(ttl), first.Add(10*24*time.Hour).Add(ttl) // times of expiry
	want("long before", a.Add(-soon-time.Second), false, false)
	want("three days before", a.Add(-soon), false, true)
	want("a second before", a.Add(-time.Second), false, true)
	want("a is over", a, true, false)
	want("a is over, b soon", b.Add(-soon), true, true)
	want("both are over", b, true, false)

	w.now = b
	w.put("3.csv", "mail\na@x.org\nb@x.org\n")
	w.mustRun(true)
	want("renewed", b.Add(ttl-soon-time.Second), false, false)
	want("soon over again", b.Add(ttl-soon), false, true)
	want("over again", b.Add(ttl), true, false)
}
