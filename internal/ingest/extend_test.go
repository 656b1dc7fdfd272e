package ingest_test

import (
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/lake"
)

// extend starts an extend run.
func (w *world) extend() audience.Run {
	w.t.Helper()
	return w.runAs(func(q *audience.RunRequest) { q.Kind, q.Differential = audience.RunExtend, true })
}

// TestExtend extends the time of some members when others have expired. The expired ones leave. The others have another
// TTL from then on, in the dataset and in the profile store.
func TestExtend(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	ttl := w.aud.TTL()
	w.put("1.csv", "mail,city\na@x.org,Oslo\nb@x.org,Rome\n")
	w.mustRun(false)
	w.now = w.now.Add(ttl / 2)
	w.put("2.csv", "mail,city\nb@x.org,Rome\nc@x.org,Bern\n")
	before := w.mustRun(false)

	w.now = w.now.Add(ttl/2 + time.Second) // a has expired; half of the TTL of b and c is over
	r := w.extend()
	if r.Status != audience.Success {
		t.Fatal(r.Error)
	}
	if want := (audience.Members{Before: 3, After: 2, Expired: 1}); r.Result.Members != want || len(r.Result.Files) != 0 || r.Result.Rows != (audience.Rows{}) {
		t.Errorf("the ledger is %+v, want %+v", r.Result, want)
	}
	at := r.CreatedAt.Truncate(time.Second)
	if !r.Result.RefreshedAt.Equal(at) || w.contentSum() != r.Result.ContentSum {
		t.Errorf("%+v", r.Result)
	}
	snap, _ := w.dataset().Current()
	if refreshed, err := w.dataset().RefreshedAt(&w.aud); err != nil || !refreshed.Equal(at) || snap.Props["roster.mode"] != "extend" {
		t.Errorf("the snapshot says %v, %v, %v", refreshed, snap.Props, err)
	}
	want := func(when string, a, b string) {
		t.Helper()
		if gotA, gotB := w.status("Email", "a@x.org"), w.status("Email", "b@x.org"); gotA != a || gotB != b {
			t.Errorf("%s: a is %s and b is %s, want %s and %s", when, gotA, gotB, a, b)
		}
	}
	want("at once", "exited", "realized")
	w.now = at.Add(ttl - time.Second)
	want("a second before the end", "exited", "realized")
	w.now = at.Add(ttl)
	want("at the end", "exited", "exited")

	// An extend run can be rolled back. The members have their previous times again.
	w.now = at.Add(time.Minute)
	if r := w.rollback(before.ID); r.Status != audience.Success {
		t.Fatal(r.Error)
	}
	w.now = before.CreatedAt.Add(ttl - time.Second)
	want("undone", "exited", "realized")
	w.now = before.CreatedAt.Add(ttl)
	want("undone, at the end", "exited", "exited")
}

// TestExtendNobody extends the time of members who have all expired. The run changes nothing.
func TestExtendNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.put("1.csv", "mail,city\na@x.org,Oslo\n")
	w.mustRun(false)
	w.now = w.now.Add(w.aud.TTL())
	version := func() lake.Snapshot {
		snap, _ := w.dataset().Current()
		return snap
	}
	before := version()
	r := w.extend()
	if r.Status != audience.Failed || r.Error.Code != audience.Impossible {
		t.Errorf("%s, %v", r.Status, r.Error)
	}
	if now := version(); now.ID != before.ID || w.status("Email", "a@x.org") != "exited" {
		t.Errorf("the audience changed: %+v", now)
	}
}
