package control_test

import (
	"context"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/identity"
	"roster/internal/ingest"
	"roster/internal/job"
	"roster/internal/meta"
	"roster/internal/profile"
)

// newErasing is a world that can encrypt secrets, with an administrator and an audience.
func newErasing(t *testing.T) (w *world, admin audience.Actor, aud audience.Audience) {
	t.Helper()
	w = newWorld(t)
	cfg := w.config("worker-1")
	cfg.Sealer = sealer(t, w.dir)
	w.use(cfg)
	admin = w.editor
	admin.Role = audience.Admin
	return w, admin, w.submit(draft("list"))
}

// erasure returns the current state of the erasure.
func (w *world) erasure(id audience.ErasureID) audience.Erasure {
	w.t.Helper()
	e, err := w.store.Erasure(w.t.Context(), w.editor.Scope, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// failWith makes runs end FAILED.
func failWith(reason string) func(context.Context, ingest.Spec) (audience.Run, error) {
	return func(_ context.Context, s ingest.Spec) (audience.Run, error) {
		s.Run.Status, s.Run.Error, s.Run.EndedAt = audience.Failed, audience.Errorf(audience.Impossible, "%s", reason), s.Run.CreatedAt
		return s.Run, nil
	}
}

// newestRun returns the newest run of the audience.
func (w *world) newestRun(id audience.ID) audience.Run {
	w.t.Helper()
	list, _, err := w.Runs(w.t.Context(), w.editor, id, audience.RunQuery{Limit: 1})
	if err != nil || len(list) == 0 {
		w.t.Fatal(list, err)
	}
	return list[0]
}

// TestEraseNeedsAnAdministrator checks that an erasure requires an administrator and an existing namespace.
func TestEraseNeedsAnAdministrator(t *testing.T) {
	t.Parallel()
	w, admin, _ := newErasing(t)
	_, err := w.Erase(t.Context(), w.editor, control.IdentityRef{ID: "ada@example.com", Namespace: "email"})
	wantCode(t, "an editor", err, audience.Forbidden)
	_, err = w.Erasures(t.Context(), w.editor, nil, 1)
	wantCode(t, "a list for an editor", err, audience.Forbidden)
	_, err = w.Erase(t.Context(), admin, control.IdentityRef{ID: "ada@example.com", Namespace: "nothing"})
	wantCode(t, "an unknown namespace", err, audience.Invalid)
	_, err = w.Erasure(t.Context(), admin, "0b6f3a57-1111-4222-8333-444455556666")
	wantCode(t, "an unknown erasure", err, audience.NotFound)
}

// TestEraseWaitsItsTurn checks that an erasure waits for a run in progress. Then it removes the member with its own
// run, and starts another one if that run fails.
func TestEraseWaitsItsTurn(t *testing.T) {
	t.Parallel()
	w, admin, aud := newErasing(t)
	key := identity.KeyOf("Email", []byte("ada@example.com"))
	w.profile.members[key] = []profile.Membership{{Audience: aud.Num, Member: identity.Key{9}}}
	other := w.start(aud.ID)
	e, err := w.Erase(t.Context(), admin, control.IdentityRef{ID: " Ada@example.com", Namespace: "EMAIL"})
	if err != nil {
		t.Fatal(err)
	}
	if e.Status != audience.Processing || e.Namespace != "Email" || strings.Contains(e.Sealed, "ada@") || len(w.profile.members) != 0 {
		t.Fatalf("%+v, the profile store has %v", e, w.profile.members)
	}
	w.pipeline.live, w.pipeline.kept = true, true
	erasing := job.OfErasures(admin.Scope)
	w.handle(erasing)
	if got := w.profile.forgotten; len(got) != 1 || len(got[0]) != 2 || got[0][0] != (profile.Member{Audience: aud.Num, Key: identity.Key{9}}) || got[0][1].Key != key {
		t.Errorf("forgot %v", got)
	}
	if r := w.newestRun(aud.ID); r.ID != other.ID {
		t.Fatalf("run %+v was started beside another one", r.Request)
	}

	w.handle(job.Job{Kind: job.Run, ID: string(other.ID)})
	w.handle(erasing)
	failing := w.newestRun(aud.ID)
	if failing.Request.Kind != audience.RunErase || failing.Request.Erasure != e.ID || failing.CreatedBy != audience.SystemUser {
		t.Fatalf("the run is %+v", failing.Request)
	}
	w.pipeline.do = failWith("the disk is full")
	w.handle(job.Job{Kind: job.Run, ID: string(failing.ID)})
	w.pipeline.do = nil
	w.handle(erasing) // records the failure
	if now := w.erasure(e.ID); now.Status != audience.Processing || now.Error == nil || !strings.Contains(now.Error.Error(), string(failing.ID)) {
		t.Fatalf("after a run that failed: %+v", now)
	}
	w.handle(erasing) // starts the next run at once
	second := w.newestRun(aud.ID)
	w.pipeline.do = failWith("the disk is full")
	w.handle(job.Job{Kind: job.Run, ID: string(second.ID)})
	w.pipeline.do = nil
	w.handle(erasing)
	w.handle(erasing)
	if r := w.newestRun(aud.ID); r.ID != second.ID || second.ID == failing.ID {
		t.Fatalf("a third run was started at once after %s and %s", failing.ID, second.ID)
	}
	w.clock.advance(time.Minute)
	w.handle(erasing)
	third := w.newestRun(aud.ID)
	w.handle(job.Job{Kind: job.Run, ID: string(third.ID)})
	if got := w.pipeline.specs[len(w.pipeline.specs)-1]; len(got.Erase) != 1 || !got.Erase[key] {
		t.Errorf("the run takes out %v", got.Erase)
	}
	w.handle(erasing)
	done := w.erasure(e.ID)
	if done.Status != audience.Success || done.Sealed != "" || done.Error != nil || len(done.Progress.Audiences) != 1 ||
		done.Progress.Audiences[0].RunID != third.ID || done.Progress.Audiences[0].Rejects != 1 {
		t.Fatalf("%+v", done)
	}
	if got := w.pipeline.purges; len(got) != 1 || len(got[0].People) != 1 || got[0].People[0].Key != key ||
		string(got[0].People[0].Values[0]) != "ada@example.com" || string(got[0].People[0].Values[1]) != " Ada@example.com" {
		t.Errorf("purged %+v", got)
	}
	w.handle(erasing)
	if len(w.pipeline.purges) != 1 {
		t.Error("an erasure that ended was done again")
	}
}

// TestEraseAwaitsEarlierRuns checks that an erasure waits for runs that may have read the person. What such a run
// commits is removed too.
func TestEraseAwaitsEarlierRuns(t *testing.T) {
	t.Parallel()
	w, admin, aud := newErasing(t)
	earlier := w.start(aud.ID)
	e, err := w.Erase(t.Context(), admin, control.IdentityRef{ID: "ada@example.com", Namespace: "email"})
	if err != nil {
		t.Fatal(err)
	}
	erasing := job.OfErasures(admin.Scope)
	w.handle(erasing)
	if now := w.erasure(e.ID); now.Status != audience.Processing {
		t.Fatalf("it ended %s before run %s, which was started before it", now.Status, earlier.ID)
	}
	w.handle(job.Job{Kind: job.Run, ID: string(earlier.ID)})
	w.pipeline.live, w.pipeline.kept = true, true // the data that the run has committed
	w.handle(erasing)
	out := w.newestRun(aud.ID)
	if out.Request.Kind != audience.RunErase {
		t.Fatalf("the newest run is %+v", out.Request)
	}
	w.handle(job.Job{Kind: job.Run, ID: string(out.ID)})
	w.pipeline.live, w.pipeline.kept = false, false
	w.clock.advance(time.Second)
	w.start(aud.ID) // later runs do not delay the erasure
	w.handle(erasing)
	if now := w.erasure(e.ID); now.Status != audience.Success {
		t.Errorf("it is %s beside a run that was started after it", now.Status)
	}
}

// TestRollbackAwaitsErasures refuses a rollback, which may bring a person back, while the person is being erased. A dry
// run brings nobody back.
func TestRollbackAwaitsErasures(t *testing.T) {
	t.Parallel()
	w, admin, aud := newErasing(t)
	run := w.start(aud.ID)
	w.handle(job.Job{Kind: job.Run, ID: string(run.ID)})
	e, err := w.Erase(t.Context(), admin, control.IdentityRef{ID: "ada@example.com", Namespace: "email"})
	if err != nil {
		t.Fatal(err)
	}
	back := audience.RunRequest{Kind: audience.RunRollback, Of: run.ID}
	_, err = w.StartRun(t.Context(), admin, aud.ID, back)
	wantCode(t, "a rollback beside an erasure", err, audience.Impossible)
	back.DryRun = true
	dry, err := w.StartRun(t.Context(), admin, aud.ID, back)
	if err != nil {
		t.Fatalf("a dry run beside an erasure: %v", err)
	}
	w.handle(job.Job{Kind: job.Run, ID: string(dry.ID)})
	w.handle(job.OfErasures(admin.Scope))
	if now := w.erasure(e.ID); now.Status != audience.Success {
		t.Fatalf("the erasure is %s", now.Status)
	}
	back.DryRun = false
	if _, err := w.StartRun(t.Context(), admin, aud.ID, back); err != nil {
		t.Errorf("a rollback after the erasure: %v", err)
	}
}

// TestEraseGoesOn continues an erasure after its process was killed, and after all audiences are deleted.
func TestEraseGoesOn(t *testing.T) {
	t.Parallel()
	w, admin, aud := newErasing(t)
	e, err := w.Erase(t.Context(), admin, control.IdentityRef{ID: "ada@example.com", Namespace: "email"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteAudience(t.Context(), admin, aud.ID); err != nil {
		t.Fatal(err)
	}
	erasing := job.OfErasures(admin.Scope)
	w.handle(erasing)
	if now := w.erasure(e.ID); now.Status != audience.Processing {
		t.Errorf("it ended %s before the data of a deleted audience was removed", now.Status)
	}
	for range 2 {
		w.handle(job.Job{Kind: job.Cleanup, ID: string(aud.ID)})
		w.clock.advance(time.Minute)
	}
	if err := w.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.handle(erasing)
	if now := w.erasure(e.ID); now.Status != audience.Success || len(now.Progress.Audiences) != 0 {
		t.Errorf("%+v", now)
	}
}

// TestEraseBesideDeletedAudience deletes the audience in which an erasure has begun. The next audience gets its own run.
func TestEraseBesideDeletedAudience(t *testing.T) {
	t.Parallel()
	w, admin, aud := newErasing(t)
	w.clock.advance(time.Second)
	second := w.submit(draft("second"))
	w.pipeline.live, w.pipeline.kept = true, true
	e, err := w.Erase(t.Context(), admin, control.IdentityRef{ID: "ada@example.com", Namespace: "email"})
	if err != nil {
		t.Fatal(err)
	}
	erasing := job.OfErasures(admin.Scope)
	w.handle(erasing)
	w.handle(job.Job{Kind: job.Run, ID: string(w.newestRun(aud.ID).ID)})
	if err := w.DeleteAudience(t.Context(), admin, aud.ID); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w.handle(job.Job{Kind: job.Cleanup, ID: string(aud.ID)})
		w.clock.advance(time.Minute)
	}
	w.handle(erasing)
	out := w.newestRun(second.ID)
	if out.Request.Kind != audience.RunErase || out.Request.Erasure != e.ID {
		t.Fatalf("the newest run is %+v", out.Request)
	}
	w.handle(job.Job{Kind: job.Run, ID: string(out.ID)})
	w.handle(erasing)
	if now := w.erasure(e.ID); now.Status != audience.Success || len(w.pipeline.purges) != 1 || w.pipeline.purges[0].Audience.ID != second.ID {
		t.Errorf("%+v after the purges %+v", now, w.pipeline.purges)
	}
}

// TestOrder begins an erasure for each identity of a work order, or none if one of the identities is invalid.
func TestOrder(t *testing.T) {
	t.Parallel()
	w, admin, _ := newErasing(t)
	ids := []control.IdentityRef{{ID: "ada@example.com", Namespace: "email"}, {ID: "+1", Namespace: "Phone"}}
	_, err := w.Order(t.Context(), w.editor, ids, audience.WorkOrder{})
	wantCode(t, "an editor", err, audience.Forbidden)
	_, err = w.Order(t.Context(), admin, append(ids, control.IdentityRef{ID: "x", Namespace: "nothing"}), audience.WorkOrder{})
	wantCode(t, "an unknown namespace", err, audience.Invalid)
	if list, err := w.Erasures(t.Context(), admin, nil, 10); err != nil || len(list) != 0 {
		t.Fatalf("a refused order began %v, %v", list, err)
	}
	first, err := w.Order(t.Context(), admin, ids, audience.WorkOrder{Name: "two"})
	if err != nil {
		t.Fatal(err)
	}
	w.handle(job.OfErasures(admin.Scope)) // stores the progress
	list, err := w.Erasures(t.Context(), admin, nil, 10)
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	for _, e := range list {
		if order := e.Progress.Order; (order != nil) != (e.ID == first.ID) || order != nil && (order.Name != "two" || len(order.Erasures) != 2) {
			t.Errorf("%+v knows of the order %+v", e.ID, order)
		}
	}
}

// TestErasuresGoTogether removes people whose erasures wait for the same audience in one run and one purge. An erasure
// that comes while the run is in progress does not join it. Each erasure has its own results.
func TestErasuresGoTogether(t *testing.T) {
	t.Parallel()
	w, admin, aud := newErasing(t)
	w.pipeline.live, w.pipeline.kept = true, true
	earlier := w.start(aud.ID)
	erase := func(who string) audience.ErasureID {
		t.Helper()
		e, err := w.Erase(t.Context(), admin, control.IdentityRef{ID: who, Namespace: "email"})
		if err != nil {
			t.Fatal(err)
		}
		return e.ID
	}
	erasing := job.OfErasures(admin.Scope)
	ada := erase("ada@example.com")
	w.handle(erasing)
	w.clock.advance(time.Second)
	bob := erase("bob@example.com")
	w.clock.advance(time.Second)
	w.handle(erasing)
	w.handle(job.Job{Kind: job.Run, ID: string(earlier.ID)})
	w.handle(erasing)
	first := w.newestRun(aud.ID)
	if first.Request.Kind != audience.RunErase || first.Request.Erasure != ada || !strings.Contains(first.Request.Reason, "1 others") {
		t.Fatalf("the run is %+v", first.Request)
	}
	cyd := erase("cyd@example.com")
	w.handle(erasing)
	if r := w.newestRun(aud.ID); r.ID != first.ID || len(w.pipeline.purges) != 0 {
		t.Fatalf("%+v was started, or %d purges, beside the run", r.Request, len(w.pipeline.purges))
	}
	keyOf := func(who string) identity.Key { return identity.KeyOf("Email", []byte(who)) }
	w.handle(job.Job{Kind: job.Run, ID: string(first.ID)})
	if got := w.pipeline.specs[len(w.pipeline.specs)-1].Erase; !maps.Equal(got, map[identity.Key]bool{keyOf("ada@example.com"): true, keyOf("bob@example.com"): true}) {
		t.Errorf("the run takes out %v", got)
	}
	w.handle(erasing)
	second := w.newestRun(aud.ID)
	if second.ID == first.ID || second.Request.Erasure != cyd || len(w.pipeline.purges) != 1 || len(w.pipeline.purges[0].People) != 2 {
		t.Fatalf("%+v, %d purges", second.Request, len(w.pipeline.purges))
	}
	w.handle(job.Job{Kind: job.Run, ID: string(second.ID)})
	w.handle(erasing)
	for id, want := range map[audience.ErasureID]audience.ErasedAudience{
		ada: {ID: aud.ID, RunID: first.ID, Members: 1, Rejects: 1}, bob: {ID: aud.ID, RunID: first.ID, Members: 1}, cyd: {ID: aud.ID, RunID: second.ID, Members: 1, Rejects: 1},
	} {
		e := w.erasure(id)
		if e.Status != audience.Success || e.Sealed != "" || e.EndedAt.IsZero() || len(e.Progress.Audiences) != 1 || !reflect.DeepEqual(e.Progress.Audiences[0], want) {
			t.Errorf("%+v, want %+v", e, want)
		}
	}
	w.handle(erasing)
	if len(w.pipeline.purges) != 2 {
		t.Errorf("%d purges", len(w.pipeline.purges))
	}
}

// TestEraseApart checks that an erasure whose identity cannot be decrypted does not hold up the others of its work order.
func TestEraseApart(t *testing.T) {
	t.Parallel()
	for broken := range 2 {
		w, admin, _ := newErasing(t)
		first, err := w.Order(t.Context(), admin, []control.IdentityRef{{ID: "ada@example.com", Namespace: "email"}, {ID: "bob@example.com", Namespace: "email"}}, audience.WorkOrder{})
		if err != nil {
			t.Fatal(err)
		}
		ids := first.Progress.Order.Erasures
		e := w.erasure(ids[broken])
		e.Sealed = "unreadable"
		if err := w.store.Update(t.Context(), func(tx meta.Tx) error { return tx.SaveErasure(t.Context(), &e) }); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := w.Handle(t.Context(), job.OfErasures(admin.Scope)); err == nil {
				t.Error("the identity was decrypted")
			}
		}
		if e := w.erasure(ids[broken]); e.Status != audience.Processing {
			t.Errorf("the erasure of somebody unknown ended %s", e.Status)
		}
		if e := w.erasure(ids[1-broken]); e.Status != audience.Success {
			t.Errorf("the other erasure is %s", e.Status)
		}
	}
}
