package api

import (
	"context"

	"roster/internal/audience"
	"roster/internal/control"
)

// The webhooks of the fake.

func (f *fake) stagedWebhook() audience.Webhook {
	return audience.Webhook{ID: otherID, Scope: testScope, URL: "https://example.com/hook", Events: []audience.EventType{audience.EventRunEnded}, Sealed: "sealed text",
		Enabled: true, FailingSince: testNow, CreatedBy: clientID, CreatedAt: testNow, UpdatedBy: clientID, UpdatedAt: testNow}
}

func (f *fake) Webhooks(context.Context, audience.Actor) ([]audience.Webhook, error) {
	return []audience.Webhook{f.stagedWebhook()}, f.called("webhooks")
}

func (f *fake) Webhook(_ context.Context, _ audience.Actor, id audience.WebhookID) (audience.Webhook, error) {
	if err := f.called(id); err != nil {
		return audience.Webhook{}, err
	}
	if id == absentID {
		return audience.Webhook{}, absent("webhook", string(id))
	}
	return f.stagedWebhook(), nil
}

func (f *fake) CreateWebhook(_ context.Context, _ audience.Actor, w audience.Webhook) (audience.Webhook, string, error) {
	if err := f.called(w); err != nil {
		return w, "", err
	}
	if err := audience.ValidateWebhook(&w); err != nil {
		return w, "", err
	}
	created := f.stagedWebhook()
	created.URL, created.Description, created.Events = w.URL, w.Description, w.Events
	return created, "whsec_a new secret", nil
}

func (f *fake) UpdateWebhook(ctx context.Context, a audience.Actor, id audience.WebhookID, p control.WebhookPatch) (audience.Webhook, error) {
	w, err := f.Webhook(ctx, a, id)
	if err != nil {
		return w, err
	}
	return w, f.called(p)
}

func (f *fake) DeleteWebhook(ctx context.Context, a audience.Actor, id audience.WebhookID) error {
	_, err := f.Webhook(ctx, a, id)
	return err
}

func (f *fake) TestWebhook(ctx context.Context, a audience.Actor, id audience.WebhookID) (string, error) {
	_, err := f.Webhook(ctx, a, id)
	return absentID, err
}

func (f *fake) Deliveries(ctx context.Context, a audience.Actor, id audience.WebhookID, after *audience.Position, limit int) (list []audience.Delivery, err error) {
	if _, err := f.Webhook(ctx, a, id); err != nil {
		return nil, err
	}
	for range min(limit, 3) {
		list = append(list, audience.Delivery{WebhookID: id, EventID: runID, Type: audience.EventRunEnded, At: testNow, Labels: []string{"core/C1"}, Body: "the body",
			State: audience.DeliveryPending, Attempts: []audience.DeliveryAttempt{{At: testNow, Status: 500, Error: "the endpoint answered with status 500"}}, NextAt: testNow})
	}
	return list, f.called(after)
}
