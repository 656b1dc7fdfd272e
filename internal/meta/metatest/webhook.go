package metatest

import (
	"fmt"

	"roster/internal/audience"
	"roster/internal/meta"
)

// webhook creates an enabled webhook.
func (w *world) webhook(created int) audience.Webhook {
	w.Helper()
	h := audience.Webhook{ID: audience.WebhookID(id()), Scope: w.scope, URL: "https://example.com/hook", Description: "d", Sealed: "sealed", Enabled: true,
		Events: []audience.EventType{audience.EventRunEnded}, CreatedBy: "c1", CreatedAt: at(created), UpdatedBy: "c1", UpdatedAt: at(created)}
	w.update(func(tx meta.Tx) error { return tx.CreateWebhook(w.Context(), h) })
	return h
}

// delivery records an event for a webhook that is due at once.
func (w *world) delivery(h audience.Webhook, event string, seconds int) audience.Delivery {
	w.Helper()
	d := audience.Delivery{WebhookID: h.ID, EventID: event, Type: audience.EventRunEnded, At: at(seconds), Labels: []string{"core/C1"}, Body: `{"a":1}`,
		State: audience.DeliveryPending, NextAt: at(seconds)}
	w.update(func(tx meta.Tx) error { return tx.CreateDelivery(w.Context(), d) })
	return d
}

func testWebhooks(w *world) {
	second, first := w.webhook(2), w.webhook(1)
	elsewhere := (&world{T: w.T, s: w.s, scope: audience.Scope{Org: w.scope.Org, Sandbox: "dev"}}).webhook(0)
	got, err := w.s.Webhooks(w.Context(), w.scope)
	w.must(err)
	equal(w, "webhooks", got, []audience.Webhook{first, second})
	_, err = w.s.Webhook(w.Context(), w.scope, elsewhere.ID)
	w.want(err, meta.ErrNotFound)
	w.refused(meta.ErrDuplicate, func(tx meta.Tx) error { return tx.CreateWebhook(w.Context(), first) })

	changed := first
	changed.URL, changed.Description, changed.Events = "http://b", "", []audience.EventType{audience.EventTaskEnded, audience.EventGuardTripped}
	changed.Enabled, changed.Note, changed.FailingSince, changed.UpdatedBy, changed.UpdatedAt = false, "why", at(5), "c2", at(6)
	w.update(func(tx meta.Tx) error { return tx.UpdateWebhook(w.Context(), changed) })
	stored, err := w.s.Webhook(w.Context(), w.scope, first.ID)
	w.must(err)
	equal(w, "changed webhook", stored, changed)
	foreign := elsewhere
	foreign.Scope = w.scope
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error { return tx.UpdateWebhook(w.Context(), foreign) })
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error { return tx.DeleteWebhook(w.Context(), w.scope, elsewhere.ID) })

	w.delivery(first, "e", 0)
	w.update(func(tx meta.Tx) error { return tx.DeleteWebhook(w.Context(), w.scope, first.ID) })
	_, err = w.s.Webhook(w.Context(), w.scope, first.ID)
	w.want(err, meta.ErrNotFound)
	left, err := w.s.Deliveries(w.Context(), first.ID, nil, 10)
	w.must(err)
	equal(w, "deliveries of a deleted webhook", left, nil)
}

func testDeliveries(w *world) {
	h, other := w.webhook(0), w.webhook(0)
	var want []audience.Delivery
	for i := range 5 {
		want = append([]audience.Delivery{w.delivery(h, fmt.Sprint("e", i), i/2)}, want...)
	}
	w.delivery(other, "e0", 0) // the same event for another webhook
	w.refused(meta.ErrDuplicate, func(tx meta.Tx) error { return tx.CreateDelivery(w.Context(), want[0]) })

	changed := &want[1]
	changed.State, changed.NextAt = audience.DeliveryDelivered, at(0)
	changed.Attempts = []audience.DeliveryAttempt{{At: at(1), Error: "down"}, {At: at(2), Status: 204}}
	w.update(func(tx meta.Tx) error { return tx.UpdateDelivery(w.Context(), *changed) })
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error {
		return tx.UpdateDelivery(w.Context(), audience.Delivery{WebhookID: h.ID, EventID: "no"})
	})
	var got []audience.Delivery
	for after := (*audience.Position)(nil); ; {
		page, err := w.s.Deliveries(w.Context(), h.ID, after, 2)
		w.must(err)
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
		after = &audience.Position{At: page[len(page)-1].At, ID: page[len(page)-1].EventID}
	}
	equal(w, "all pages", got, want)

	w.update(func(tx meta.Tx) error {
		n, err := tx.DeleteDeliveries(w.Context(), at(1))
		equal(w, "dropped", n, 3)
		return err
	})
	got, err := w.s.Deliveries(w.Context(), h.ID, nil, 10)
	w.must(err)
	equal(w, "what is left", got, want[:3])
}

func testDueWebhooks(w *world) {
	h, idle, off := w.webhook(0), w.webhook(0), w.webhook(0)
	w.delivery(idle, "later", 9)
	w.delivery(off, "e", 0)
	off.Enabled = false
	w.update(func(tx meta.Tx) error { return tx.UpdateWebhook(w.Context(), off) })
	late := w.delivery(h, "late", 2)
	early := w.delivery(h, "early", 1)
	due := func(seconds int, want ...audience.WebhookID) {
		w.Helper()
		got, err := w.s.DueWebhooks(w.Context(), at(seconds))
		w.must(err)
		equal(w, "webhooks that are due", got, want)
	}
	due(0)
	due(1, h.ID)
	hook, next, err := w.s.NextDelivery(w.Context(), h.ID, at(5))
	w.must(err)
	equal(w, "webhook", hook, h)
	equal(w, "next delivery", next, early)
	early.State = audience.DeliveryFailed
	w.update(func(tx meta.Tx) error { return tx.UpdateDelivery(w.Context(), early) })
	_, next, err = w.s.NextDelivery(w.Context(), h.ID, at(2))
	w.must(err)
	equal(w, "the one after it", next, late)
	for _, none := range []audience.WebhookID{idle.ID, off.ID, "no"} {
		_, _, err = w.s.NextDelivery(w.Context(), none, at(5))
		w.want(err, meta.ErrNotFound)
	}
}

func testClearWebhooks(w *world) {
	w.tenant()
	h := w.webhook(0)
	w.delivery(h, "e", 0)
	kept := (&world{T: w.T, s: w.s, scope: audience.Scope{Org: "other", Sandbox: w.scope.Sandbox}}).webhook(0)
	w.update(func(tx meta.Tx) error { _, err := tx.ClearSandbox(w.Context(), w.scope); return err })
	_, err := w.s.Webhook(w.Context(), w.scope, h.ID)
	w.want(err, meta.ErrNotFound)
	left, err := w.s.Deliveries(w.Context(), h.ID, nil, 10)
	w.must(err)
	equal(w, "deliveries of a cleared sandbox", left, nil)
	_, err = w.s.Webhook(w.Context(), kept.Scope, kept.ID)
	w.must(err)
}
