package control_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/ingest"
	"roster/internal/job"
	"roster/internal/meta"
	"roster/internal/webhook"
)

// TestEventsArrive has a task, a run that trips a guard, and members that expire soon.
func TestEventsArrive(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	hook, secret := h.hook(h.editor, audience.EventTypes...)
	h.send()
	aud := h.submit(draft("people"))
	h.pipeline.set(func(ctx context.Context, s ingest.Spec) (audience.Run, error) {
		r, err := succeed(ctx, s)
		r.Status, r.Error = audience.Failed, audience.Errorf(audience.Impossible, "in.csv: ada@example.com is wrong")
		r.Result.Guards = []audience.GuardResult{{Guard: audience.GuardRejected, Value: 40, Limit: 10, Tripped: true, Detail: "in.csv"}, {Guard: audience.GuardGrowth}}
		r.Result.Rejects = []audience.RejectSample{{File: "in.csv", Line: 2, Column: "mail", Reason: "in mail"}}
		return r, err
	})
	h.handle(runJob(h.start(aud.ID)))
	h.send()
	h.pipeline.set(nil)
	h.handle(runJob(h.start(aud.ID)))
	h.clock.advance(24 * time.Hour)
	h.pipeline.maintain = func(context.Context, ingest.Upkeep) (ingest.Maintained, error) {
		return ingest.Maintained{Expiring: true}, nil
	}
	h.handle(maintenanceOf(aud))
	h.handle(maintenanceOf(aud)) // the same day
	h.send()

	var types []string
	for _, m := range h.endpoint.take() {
		e := h.event(m, secret)
		types = append(types, e.Type)
		if e.Subject != string(aud.ID) || e.Data["audienceId"] != string(aud.ID) || e.Data["audienceName"] != "people" {
			t.Errorf("%s", m.body)
		}
		switch e.Type {
		case "roster.guard.tripped":
			want := []any{map[string]any{"guard": "rejected", "value": 40.0, "limit": 10.0}}
			if !reflect.DeepEqual(e.Data["guards"], want) || e.Data["status"] != "FAILED" || e.Data["errorCode"] != "100960-422" || e.Data["kind"] != "ingest" {
				t.Errorf("%s", m.body)
			}
		case "roster.members.expiring":
			if e.Data["expiresBefore"] != float64(h.clock.now().Add(3*24*time.Hour).Unix()) {
				t.Errorf("%s", m.body)
			}
		case "roster.run.ended":
			if e.Data["rows"].(map[string]any)["rowsRead"] != 1.0 || e.Data["members"].(map[string]any)["after"] != 1.0 {
				t.Errorf("%s", m.body)
			}
		}
		for _, private := range []string{"ada@", "in.csv", "mail", "token=mine", secret} {
			if strings.Contains(string(m.body), private) {
				t.Errorf("an event tells %q: %s", private, m.body)
			}
		}
	}
	slices.Sort(types)
	if want := []string{"roster.guard.tripped", "roster.members.expiring", "roster.run.ended", "roster.run.ended", "roster.task.ended"}; !slices.Equal(types, want) {
		t.Errorf("%q arrived, want %q", types, want)
	}
	for _, d := range h.log(hook.ID) {
		if d.State != audience.DeliveryDelivered || len(d.Attempts) != 1 || d.Attempts[0].Status != http.StatusNoContent || !d.NextAt.IsZero() {
			t.Errorf("%+v", d)
		}
	}
}

// TestFailedDelivery repeats a delivery with growing delays, also in another process, with the same id, until it
// succeeds.
func TestFailedDelivery(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	hook, secret := h.hook(h.editor, audience.EventTaskEnded)
	h.endpoint.answers(http.StatusInternalServerError)
	h.submit(draft("people"))
	h.send()
	h.send() // the next attempt is not due
	for n, wait := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second} {
		d := h.log(hook.ID)[0]
		if len(d.Attempts) != n+1 || d.State != audience.DeliveryPending || d.NextAt.Sub(h.clock.now()) != wait {
			t.Fatalf("after attempt %d: %+v", n+1, d)
		}
		h.restart()
		h.clock.advance(wait - time.Second)
		h.send()
		h.clock.advance(time.Second)
		if n == 3 {
			h.endpoint.answers(http.StatusOK)
		}
		h.send()
	}
	got := h.endpoint.take()
	for _, m := range got {
		if e := h.event(m, secret); e.ID != h.event(got[0], secret).ID {
			t.Errorf("an attempt has the id %s", e.ID)
		}
	}
	d := h.log(hook.ID)[0]
	if len(got) != 5 || d.State != audience.DeliveryDelivered || d.Attempts[0].Status != 500 || d.Attempts[0].Error == "" || d.Attempts[4].Status != 200 {
		t.Errorf("%d attempts arrived; %+v", len(got), d)
	}
	if w := h.read(hook.ID); !w.FailingSince.IsZero() || !w.Enabled {
		t.Errorf("%+v", w)
	}
}

// TestAttemptAndItsRecord repeats an attempt whose record could not be written.
func TestAttemptAndItsRecord(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	hook, _ := h.hook(h.editor, audience.EventTaskEnded)
	h.submit(draft("people"))
	h.jobs.take()
	h.store.failAfter(0)
	if err := h.Handle(t.Context(), job.Job{Kind: job.Webhook, ID: string(hook.ID)}); err == nil {
		t.Error("a job succeeded whose record could not be written")
	}
	h.store.failing(nil)
	h.restart()
	h.send()
	got := h.endpoint.take()
	if len(got) != 2 || got[0].header.Get(webhook.HeaderID) != got[1].header.Get(webhook.HeaderID) {
		t.Errorf("%d messages arrived", len(got))
	}
	if d := h.log(hook.ID); len(d) != 1 || len(d[0].Attempts) != 1 || d[0].State != audience.DeliveryDelivered {
		t.Errorf("%+v", d)
	}
}

// TestWebhookIsDisabled disables a webhook after a day without success. Events that occur until it is enabled again are
// not kept for it.
func TestWebhookIsDisabled(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	seen, log := &observed{}, &bytes.Buffer{}
	h.cfg.Observer, h.cfg.Log = seen, slog.New(slog.NewTextHandler(log, nil))
	h.restart()
	hook, _ := h.hook(h.editor, audience.EventTaskEnded)
	h.endpoint.answers(http.StatusFound)
	h.submit(draft("first"))
	h.send()
	attempts := 1
	for ; h.read(hook.ID).Enabled; attempts++ {
		next := h.log(hook.ID)[0].NextAt
		if attempts > 30 || next.IsZero() {
			t.Fatalf("it is enabled after %d attempts", attempts)
		}
		h.clock.set(next)
		h.send()
	}
	w, d := h.read(hook.ID), h.log(hook.ID)[0]
	if d.State != audience.DeliveryFailed || len(d.Attempts) != attempts || d.Attempts[attempts-1].At.Sub(d.At) != 24*time.Hour || !strings.Contains(w.Note, "status 302") {
		t.Errorf("after %d attempts: %+v, %+v", attempts, w, d)
	}
	if attempts < 15 || attempts > 25 {
		t.Errorf("%d attempts in a day", attempts)
	}
	if pending, failed := seen.attempts[audience.DeliveryPending], seen.attempts[audience.DeliveryFailed]; pending != attempts-1 || failed != 1 {
		t.Errorf("%d attempts that are to be repeated and %d last ones were counted, of %d", pending, failed, attempts)
	}
	for _, line := range []string{
		`level=WARN msg="a webhook delivery failed for good" organization=` + hook.Scope.Org + ` sandbox=prod webhook=` + string(hook.ID) + ` event=` + d.EventID + ` type=roster.task.ended attempts=` +
			strconv.Itoa(attempts) + ` seconds=86400 status=302 error=`,
		`level=WARN msg="a webhook was disabled" organization=` + hook.Scope.Org + ` sandbox=prod webhook=` + string(hook.ID) + ` reason="disabled after a day`,
	} {
		if strings.Count(log.String(), line) != 1 {
			t.Errorf("the log has no line %q, or several:\n%s", line, log)
		}
	}
	h.endpoint.take()
	h.submit(draft("unheard"))
	h.send()
	if _, err := h.TestWebhook(t.Context(), h.editor, hook.ID); audience.CodeOf(err) != audience.Impossible {
		t.Errorf("a test of a disabled webhook: %v", err)
	}
	h.endpoint.answers(http.StatusOK)
	if w, err := h.UpdateWebhook(t.Context(), h.editor, hook.ID, control.WebhookPatch{Enabled: new(true)}); err != nil || w.Note != "" || !w.FailingSince.IsZero() {
		t.Errorf("%+v, %v", w, err)
	}
	h.submit(draft("heard"))
	h.send()
	if got := h.endpoint.take(); len(got) != 1 || !strings.Contains(string(got[0].body), `"heard"`) {
		t.Errorf("%d arrived", len(got))
	}
}

// TestGone disables a webhook at once if its endpoint responds with 410.
func TestGone(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	hook, _ := h.hook(h.editor, audience.EventTaskEnded)
	h.endpoint.answers(http.StatusGone)
	if _, err := h.TestWebhook(t.Context(), h.editor, hook.ID); err != nil {
		t.Fatal(err)
	}
	h.send()
	if w := h.read(hook.ID); w.Enabled || !strings.Contains(w.Note, "410") {
		t.Errorf("%+v", w)
	}
}

// TestOneFailureEndsAJob has two due messages. While the endpoint fails, each job sends only one.
func TestOneFailureEndsAJob(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	hook, _ := h.hook(h.editor, audience.EventTaskEnded)
	h.endpoint.answers(http.StatusServiceUnavailable)
	h.submit(draft("a"))
	h.submit(draft("b"))
	h.jobs.take()
	h.handle(job.Job{Kind: job.Webhook, ID: string(hook.ID)})
	if got := h.endpoint.take(); len(got) != 1 {
		t.Errorf("%d arrived", len(got))
	}
	h.endpoint.answers(http.StatusOK)
	h.clock.advance(5 * time.Second)
	h.send()
	if got := h.endpoint.take(); len(got) != 2 {
		t.Errorf("%d arrived then", len(got))
	}
}

// TestDeliveriesOfWhatIsHidden omits the events of hidden audiences from the log of a webhook.
func TestDeliveriesOfWhatIsHidden(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	hook, _ := h.hook(h.editor, audience.EventTaskEnded)
	at := h.clock.now()
	h.update(func(tx meta.Tx) error {
		for i := range 2 * control.MaxDeliveries { // the caller can see every 50th
			d := audience.Delivery{WebhookID: hook.ID, EventID: fmt.Sprint("event-", 1000-i), Type: audience.EventTaskEnded, At: at, Labels: []string{"core/C1"}, State: audience.DeliveryDelivered}
			if i%50 == 49 {
				d.Labels = nil
			}
			if err := tx.CreateDelivery(t.Context(), d); err != nil {
				return err
			}
		}
		return nil
	})
	if n := len(h.log(hook.ID)); n != control.MaxDeliveries {
		t.Errorf("who holds the label sees %d at once", n)
	}
	plain := h.editor
	plain.Grants = nil
	var seen []string
	var after *audience.Position
	for {
		page, err := h.Deliveries(t.Context(), plain, hook.ID, after, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page {
			seen = append(seen, d.EventID)
			after = &audience.Position{At: d.At, ID: d.EventID}
		}
		if len(page) < 3 {
			break
		}
	}
	if want := []string{"event-951", "event-901", "event-851", "event-801"}; !slices.Equal(seen, want) {
		t.Errorf("who does not hold it sees %q, want %q", seen, want)
	}
}

// TestWhoMayHear sends a webhook only the events that the client that last changed it may see.
func TestWhoMayHear(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	plain := h.editor
	plain.ClientID, plain.Grants = "plain", nil
	h.client(audience.Client{ID: "plain", Roles: map[string]audience.ClientRole{"*": audience.Editor}})
	deaf, _ := h.hook(plain, audience.EventTaskEnded)
	hearing, _ := h.hook(h.editor, audience.EventTaskEnded)
	labelled := draft("labelled")
	labelled.Labels = []string{"core/C1"}
	h.endpoint.answers(http.StatusServiceUnavailable)
	h.submit(labelled)
	if n, m := len(h.log(deaf.ID)), len(h.log(hearing.ID)); n != 0 || m != 1 {
		t.Errorf("%d and %d are to be sent", n, m)
	}
	h.send()
	h.endpoint.answers(http.StatusOK)
	h.endpoint.take()
	if _, err := h.UpdateWebhook(t.Context(), plain, hearing.ID, control.WebhookPatch{Description: new("mine")}); err != nil {
		t.Fatal(err)
	}
	h.clock.advance(5 * time.Second)
	h.send()
	if d := h.log(hearing.ID)[0]; d.State != audience.DeliveryWithheld || len(h.endpoint.take()) != 0 || !d.NextAt.IsZero() {
		t.Errorf("%+v", d)
	}
	h.submit(draft("unlabelled"))
	h.send()
	if n := len(h.endpoint.take()); n != 2 {
		t.Errorf("%d webhooks were told of what has no labels", n)
	}
	h.update(func(tx meta.Tx) error { return tx.DeleteClient(t.Context(), plain.Scope.Org, "plain") })
	h.submit(draft("more"))
	h.send()
	if n := len(h.endpoint.take()); n != 0 {
		t.Errorf("%d webhooks of a deleted client were told", n)
	}
	if _, err := h.TestWebhook(t.Context(), h.editor, deaf.ID); audience.CodeOf(err) != audience.Impossible {
		t.Errorf("a test for a deleted client: %v", err)
	}
}

// TestWebhookTenancy uses callers of other sandboxes and organizations, and a viewer.
func TestWebhookTenancy(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	hook, _ := h.hook(h.editor, audience.EventTaskEnded)
	dev := audience.Sandbox{ID: "dev", Org: h.editor.Scope.Org, Name: "dev", CreatedAt: h.clock.now()}
	h.update(func(tx meta.Tx) error { return tx.CreateSandbox(t.Context(), &dev) })
	viewer, elsewhere, abroad := h.editor, h.editor, h.editor
	viewer.Role = audience.Viewer
	elsewhere.Scope.Sandbox = "dev"
	abroad.Scope.Org = "XYZ@RosterOrg"
	for name, by := range map[string]audience.Actor{"viewer": viewer, "elsewhere": elsewhere, "abroad": abroad} {
		want := audience.NotFound
		if name == "viewer" {
			want = audience.Forbidden
			_, _, err := h.CreateWebhook(t.Context(), by, audience.Webhook{URL: h.endpoint.URL, Events: audience.EventTypes})
			wantCode(t, name, err, want)
		} else if list, err := h.Webhooks(t.Context(), by); err != nil || len(list) != 0 {
			t.Errorf("%s sees %v, %v", name, list, err)
		}
		_, err := h.Webhook(t.Context(), by, hook.ID)
		wantCode(t, name, err, want)
		_, err = h.UpdateWebhook(t.Context(), by, hook.ID, control.WebhookPatch{Enabled: new(false)})
		wantCode(t, name, err, want)
		_, err = h.TestWebhook(t.Context(), by, hook.ID)
		wantCode(t, name, err, want)
		_, err = h.Deliveries(t.Context(), by, hook.ID, nil, 1)
		wantCode(t, name, err, want)
		wantCode(t, name, h.DeleteWebhook(t.Context(), by, hook.ID), want)
	}
	h.editor.Scope.Sandbox = "dev"
	h.write(filepath.Join(h.dir, "landing", "dev", "in.csv"), "mail\nada@example.com\n")
	h.submit(draft("elsewhere"))
	h.send()
	if got := h.endpoint.take(); len(got) != 0 {
		t.Errorf("an event of another sandbox arrived: %s", got[0].body)
	}
}

// TestWebhookLimitsAndLog creates the maximum number of webhooks of a sandbox, truncates a log, and checks what remains
// after a deletion.
func TestWebhookLimitsAndLog(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	hook, secret := h.hook(h.editor, audience.EventTaskEnded)
	if strings.Contains(hook.Sealed, strings.TrimPrefix(secret, "whsec_")) || hook.Sealed == "" {
		t.Errorf("the secret is stored as %q", hook.Sealed)
	}
	for range 19 {
		h.hook(h.editor, audience.EventRunEnded)
	}
	_, _, err := h.CreateWebhook(t.Context(), h.editor, audience.Webhook{URL: h.endpoint.URL, Events: audience.EventTypes})
	wantCode(t, "one more", err, audience.Impossible, "20")
	_, _, err = h.CreateWebhook(t.Context(), h.editor, audience.Webhook{URL: "gopher://x", Events: []audience.EventType{audience.EventTest}})
	wantCode(t, "nonsense", err, audience.Invalid, "https", "roster.test")
	_, err = h.Deliveries(t.Context(), h.editor, hook.ID, nil, control.MaxDeliveries+2)
	wantCode(t, "much of the log", err, audience.Invalid)

	h.submit(draft("a"))
	h.send()
	h.clock.advance(31 * 24 * time.Hour)
	h.handle(job.Job{Kind: job.Retention, ID: "all"})
	if log := h.log(hook.ID); len(log) != 0 {
		t.Errorf("the log has %+v", log)
	}
	h.submit(draft("b"))
	if err := h.DeleteWebhook(t.Context(), h.editor, hook.ID); err != nil {
		t.Fatal(err)
	}
	h.endpoint.take()
	h.send()
	if n := len(h.endpoint.take()); n != 0 {
		t.Errorf("%d messages to a deleted webhook", n)
	}
	admin := h.editor
	admin.Role, admin.OrgRole = audience.Admin, audience.Admin
	entries, err := h.Audit(t.Context(), admin, audience.AuditQuery{Limit: 100, Object: string(hook.ID)})
	if err != nil || len(entries) != 2 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	if text, err := json.Marshal(entries); err != nil || strings.Contains(string(text), "token=mine") || strings.Contains(string(text), "whsec_") {
		t.Errorf("%s, %v", text, err)
	}
}

// TestWebhookMoves changes the address of a webhook. This requires its secret, because messages are signed with it.
func TestWebhookMoves(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	hook, secret := h.hook(h.editor, audience.EventTaskEnded)
	elsewhere := hook.URL + "/elsewhere"
	for what, p := range map[string]control.WebhookPatch{
		"no secret":              {URL: &elsewhere},
		"another secret":         {URL: &elsewhere, Secret: webhook.NewSecret()},
		"another, with no url":   {Description: new("x"), Secret: webhook.NewSecret()},
		"part of the secret":     {URL: &elsewhere, Secret: secret[:len(secret)-1]},
		"the secret as it lies":  {URL: &elsewhere, Secret: hook.Sealed},
		"among other properties": {URL: &elsewhere, Enabled: new(true), Description: new("x")},
	} {
		_, err := h.UpdateWebhook(t.Context(), h.editor, hook.ID, p)
		wantCode(t, what, err, audience.Invalid, "secret")
	}
	if w := h.read(hook.ID); w.URL != hook.URL || w.Description != hook.Description {
		t.Errorf("%+v", w)
	}
	for _, p := range []control.WebhookPatch{{URL: &hook.URL}, {URL: &elsewhere, Secret: secret}} {
		if _, err := h.UpdateWebhook(t.Context(), h.editor, hook.ID, p); err != nil {
			t.Errorf("%s: %v", *p.URL, err)
		}
	}
	if w := h.read(hook.ID); w.URL != elsewhere {
		t.Errorf("%+v", w)
	}
}
