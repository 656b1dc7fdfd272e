package api

import (
	"context"
	"net/http"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

// Webhooks administers webhooks.
type Webhooks interface {
	Webhooks(ctx context.Context, a audience.Actor) ([]audience.Webhook, error)
	Webhook(ctx context.Context, a audience.Actor, id audience.WebhookID) (audience.Webhook, error)
	CreateWebhook(ctx context.Context, a audience.Actor, w audience.Webhook) (created audience.Webhook, secret string, err error)
	UpdateWebhook(ctx context.Context, a audience.Actor, id audience.WebhookID, p control.WebhookPatch) (audience.Webhook, error)
	DeleteWebhook(ctx context.Context, a audience.Actor, id audience.WebhookID) error
	TestWebhook(ctx context.Context, a audience.Actor, id audience.WebhookID) (event string, err error)
	Deliveries(ctx context.Context, a audience.Actor, id audience.WebhookID, after *audience.Position, limit int) ([]audience.Delivery, error)
}

// defaultDeliveries is the default size of a page of a webhook's log.
const defaultDeliveries = 20

func (s *server) listWebhooks(c *call) (answer, error) {
	list, err := s.Service.Webhooks(c.Context(), c.actor)
	if err != nil {
		return answer{}, err
	}
	body := client.WebhookList{Webhooks: []client.Webhook{}}
	for i := range list {
		body.Webhooks = append(body.Webhooks, webhookBody(&list[i]))
	}
	return answer{http.StatusOK, body}, nil
}

func (s *server) createWebhook(c *call) (answer, error) {
	var in client.NewWebhook
	if err := c.typedJSON(&in); err != nil {
		return answer{}, err
	}
	w, secret, err := s.Service.CreateWebhook(c.Context(), c.actor, audience.Webhook{URL: in.URL, Description: in.Description, Events: eventsOf(in.Events)})
	if err != nil {
		return answer{}, err
	}
	kept := webhookBody(&w)
	told := kept
	told.Secret = secret
	return answer{http.StatusCreated, oneTimeSecret{body: told, kept: kept}}, nil
}

func (c *call) webhookID() (audience.WebhookID, error) {
	id, err := c.id("webhookId", "webhook")
	return audience.WebhookID(id), err
}

func (s *server) webhook(c *call) (answer, error) {
	id, err := c.webhookID()
	if err != nil {
		return answer{}, err
	}
	w, err := s.Service.Webhook(c.Context(), c.actor, id)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, webhookBody(&w)}, nil
}

func (s *server) updateWebhook(c *call) (answer, error) {
	id, err := c.webhookID()
	if err != nil {
		return answer{}, err
	}
	var in client.WebhookPatch
	if err := c.typedJSON(&in); err != nil {
		return answer{}, err
	}
	p := control.WebhookPatch{URL: in.URL, Secret: in.Secret, Description: in.Description, Enabled: in.Enabled}
	if in.Events != nil {
		p.Events = eventsOf(*in.Events)
	}
	w, err := s.Service.UpdateWebhook(c.Context(), c.actor, id, p)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, webhookBody(&w)}, nil
}

func (s *server) deleteWebhook(c *call) (answer, error) {
	id, err := c.webhookID()
	if err != nil {
		return answer{}, err
	}
	if err := s.Service.DeleteWebhook(c.Context(), c.actor, id); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, nil
}

// testWebhook enqueues a test event; the log shows the result.
func (s *server) testWebhook(c *call) (answer, error) {
	id, err := c.webhookID()
	if err != nil {
		return answer{}, err
	}
	event, err := s.Service.TestWebhook(c.Context(), c.actor, id)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusAccepted, client.WebhookTest{EventID: event}}, nil
}

// listDeliveries answers a page of a webhook's log.
func (s *server) listDeliveries(c *call) (answer, error) {
	id, err := c.webhookID()
	if err != nil {
		return answer{}, err
	}
	q := c.query()
	after := timePages.after(q)
	limit := q.limit(defaultDeliveries, control.MaxDeliveries)
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	list, err := s.Service.Deliveries(c.Context(), c.actor, id, after, limit+1) // one more: is there another page?
	if err != nil {
		return answer{}, err
	}
	body := client.DeliveryLog{Deliveries: []client.Delivery{}, Page: client.CursorPage{Limit: limit}}
	list, last := page(list, limit)
	if last != nil {
		body.Page.Next = timePages.next(q, last.At, last.EventID)
	}
	for i := range list {
		body.Deliveries = append(body.Deliveries, deliveryBody(&list[i]))
	}
	body.Page.Count = len(list)
	return answer{http.StatusOK, body}, nil
}

func eventsOf(names []string) []audience.EventType {
	events := make([]audience.EventType, len(names))
	for i, n := range names {
		events[i] = audience.EventType(n)
	}
	return events
}

func webhookBody(w *audience.Webhook) client.Webhook {
	b := client.Webhook{ID: string(w.ID), URL: w.URL, Description: w.Description, Events: []string{}, Enabled: w.Enabled, Note: w.Note,
		FailingSince: epoch(w.FailingSince), CreatedBy: w.CreatedBy, CreatedAt: epoch(w.CreatedAt), UpdatedBy: w.UpdatedBy, UpdatedAt: epoch(w.UpdatedAt)}
	for _, e := range w.Events {
		b.Events = append(b.Events, string(e))
	}
	return b
}

func deliveryBody(d *audience.Delivery) client.Delivery {
	b := client.Delivery{EventID: d.EventID, Type: string(d.Type), CreatedAt: epoch(d.At), Status: string(d.State), Attempts: []client.Attempt{},
		NextAttempt: epoch(d.NextAt)}
	for _, a := range d.Attempts {
		b.Attempts = append(b.Attempts, client.Attempt{At: epoch(a.At), StatusCode: a.Status, Error: a.Error})
	}
	return b
}
