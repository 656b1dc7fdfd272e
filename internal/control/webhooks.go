package control

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/events"
	"roster/internal/meta"
	"roster/internal/webhook"
)

// maxWebhooks is the largest number of webhooks of a sandbox.
const maxWebhooks = 20

// MaxDeliveries is the largest number of deliveries in one request.
const MaxDeliveries = 100

// Webhooks are visible only to clients that may write, because an address may contain a secret.

// CreateWebhook records a webhook of the actor's sandbox. It uses only URL, Description and Events of w. It returns the
// secret, which is not shown again.
func (s *Service) CreateWebhook(ctx context.Context, a audience.Actor, w audience.Webhook) (created audience.Webhook, secret string, err error) {
	d, err := s.begin(ctx, a, allow(a, toWrite), audience.WebhookCreate, hostOf(w.URL))
	if err != nil {
		return audience.Webhook{}, "", err
	}
	defer d.end(ctx, &err)
	now := s.now()
	w = audience.Webhook{ID: audience.WebhookID(uuid.NewString()), Scope: a.Scope, URL: w.URL, Description: w.Description, Events: w.Events, Enabled: true,
		CreatedBy: a.ClientID, CreatedAt: now, UpdatedBy: a.ClientID, UpdatedAt: now}
	if err := audience.ValidateWebhook(&w); err != nil {
		return audience.Webhook{}, "", err
	}
	secret = webhook.NewSecret()
	if w.Sealed, err = s.cfg.Sealer.Seal([]byte(secret), meta.SealedWebhook.Place(string(w.ID))); err != nil {
		return audience.Webhook{}, "", fmt.Errorf("seal the secret of a webhook: %w", err)
	}
	d.entry.Object = string(w.ID)
	d.entry.Changes(nil, webhookFacts(&w))
	err = d.update(ctx, func(tx meta.Tx) error {
		if err := openSandbox(ctx, tx, w.Scope); err != nil {
			return err
		}
		all, err := tx.Webhooks(ctx, w.Scope)
		if err != nil {
			return err
		}
		if len(all) >= maxWebhooks {
			return audience.Errorf(audience.Impossible, "sandbox %q has %d webhooks, which is the limit; delete one first", w.Scope.Sandbox, len(all))
		}
		if err := hears(ctx, tx, &w); err != nil {
			return err
		}
		return tx.CreateWebhook(ctx, w)
	})
	if err != nil {
		return audience.Webhook{}, "", err
	}
	return w, secret, nil
}

// hears refuses to enable a webhook that would receive nothing. A webhook receives what the client that last changed it
// may see at that time, and this server knows only its own clients.
func hears(ctx context.Context, r meta.Clients, w *audience.Webhook) error {
	may, err := events.MayReceive(ctx, r, w, nil)
	if err == nil && !may && w.Enabled {
		return audience.Errorf(audience.Impossible, "the webhook would receive nothing: %.100q is not an API client of this server with the role %s in sandbox %q; create the webhook with such a client", w.UpdatedBy, toWrite, w.Scope.Sandbox)
	}
	return err
}

// Webhooks lists the webhooks of the actor's sandbox by creation time.
func (s *Service) Webhooks(ctx context.Context, a audience.Actor) ([]audience.Webhook, error) {
	if err := allow(a, toWrite); err != nil {
		return nil, err
	}
	return s.cfg.Store.Webhooks(ctx, a.Scope)
}

// Webhook returns one webhook.
func (s *Service) Webhook(ctx context.Context, a audience.Actor, id audience.WebhookID) (audience.Webhook, error) {
	if err := allow(a, toWrite); err != nil {
		return audience.Webhook{}, err
	}
	return webhookOf(ctx, s.cfg.Store, a, id)
}

func webhookOf(ctx context.Context, r meta.Webhooks, a audience.Actor, id audience.WebhookID) (audience.Webhook, error) {
	key, ok := audience.Canonical(id)
	if !ok {
		return audience.Webhook{}, notFound("webhook", id)
	}
	w, err := r.Webhook(ctx, a.Scope, key)
	return w, absent(err, "webhook", id)
}

// WebhookPatch changes a webhook. Nil properties do not change. A new URL needs the webhook's Secret: the new endpoint
// receives messages signed with it, and could pass them on to systems that trust the signature.
type WebhookPatch struct {
	URL, Description *string
	Secret           string
	Events           []audience.EventType
	Enabled          *bool
}

// UpdateWebhook changes a webhook. From then on it receives what the actor may see. After a new address, or after it is
// enabled, a day passes before failures disable it again.
func (s *Service) UpdateWebhook(ctx context.Context, a audience.Actor, id audience.WebhookID, p WebhookPatch) (w audience.Webhook, err error) {
	d, err := s.begin(ctx, a, allow(a, toWrite), audience.WebhookUpdate, string(id))
	if err != nil {
		return audience.Webhook{}, err
	}
	defer d.end(ctx, &err)
	err = d.update(ctx, func(tx meta.Tx) error {
		was, err := webhookOf(ctx, tx, a, id)
		if err != nil {
			return err
		}
		w = was
		p.apply(&w)
		if err := s.knowsSecret(&was, &w, p.Secret); err != nil {
			return err
		}
		w.UpdatedBy, w.UpdatedAt = a.ClientID, s.now()
		if err := audience.ValidateWebhook(&w); err != nil {
			return err
		}
		if err := hears(ctx, tx, &w); err != nil {
			return err
		}
		d.entry.Changes(webhookFacts(&was), webhookFacts(&w))
		return tx.UpdateWebhook(ctx, w)
	})
	if err != nil {
		return audience.Webhook{}, err
	}
	return w, nil
}

// knowsSecret refuses a new address without the secret, and a wrong secret.
func (s *Service) knowsSecret(was, now *audience.Webhook, given string) error {
	if given == "" {
		if now.URL != was.URL {
			return audience.InvalidField("secret", "is required with another url: the secret that the webhook was created with, which signs its messages; "+
				"if you do not have it, create another webhook")
		}
		return nil
	}
	secret, err := s.cfg.Sealer.Open(was.Sealed, meta.SealedWebhook.Place(string(was.ID)))
	if err != nil {
		return fmt.Errorf("open the secret of webhook %s: %w", was.ID, err)
	}
	if subtle.ConstantTimeCompare(secret, []byte(given)) != 1 {
		return audience.InvalidField("secret", "is not the one that the webhook was created with")
	}
	return nil
}

func (p WebhookPatch) apply(w *audience.Webhook) {
	if p.URL != nil {
		w.URL, w.FailingSince = *p.URL, time.Time{}
	}
	if p.Description != nil {
		w.Description = *p.Description
	}
	if p.Events != nil {
		w.Events = append([]audience.EventType{}, p.Events...)
	}
	if p.Enabled != nil {
		w.Enabled, w.Note, w.FailingSince = *p.Enabled, "", time.Time{}
	}
}

// DeleteWebhook removes a webhook and its log. Pending deliveries are dropped.
func (s *Service) DeleteWebhook(ctx context.Context, a audience.Actor, id audience.WebhookID) (err error) {
	d, err := s.begin(ctx, a, allow(a, toWrite), audience.WebhookDelete, string(id))
	if err != nil {
		return err
	}
	defer d.end(ctx, &err)
	return d.update(ctx, func(tx meta.Tx) error {
		w, err := webhookOf(ctx, tx, a, id)
		if err != nil {
			return err
		}
		d.entry.Changes(webhookFacts(&w), nil)
		return tx.DeleteWebhook(ctx, a.Scope, w.ID)
	})
}

// TestWebhook enqueues a test event for a webhook, and returns the event's id, which identifies it in the log.
func (s *Service) TestWebhook(ctx context.Context, a audience.Actor, id audience.WebhookID) (event string, err error) {
	d, err := s.begin(ctx, a, allow(a, toWrite), audience.WebhookTest, string(id))
	if err != nil {
		return "", err
	}
	defer d.end(ctx, &err)
	err = d.update(ctx, func(tx meta.Tx) error {
		w, err := webhookOf(ctx, tx, a, id)
		if err != nil {
			return err
		}
		if !w.Enabled {
			return audience.Errorf(audience.Impossible, "webhook %s is disabled; enable it first", w.ID)
		}
		if may, err := events.MayReceive(ctx, tx, &w, nil); err != nil {
			return err
		} else if !may {
			return audience.Errorf(audience.Impossible, "webhook %s receives nothing, because the API client that last changed it is no longer %s of the sandbox; change the webhook, so that it receives what you may see", w.ID, toWrite)
		}
		e := audience.Event{ID: uuid.NewString(), Scope: w.Scope, Type: audience.EventTest, At: s.now()}
		event = e.ID
		return s.events.Record(ctx, tx, &w, e, struct{}{})
	})
	if err != nil {
		return "", err
	}
	return event, nil
}

// Deliveries lists the deliveries to a webhook, sent and pending, the newest event first, after a position unless that
// is nil. It omits events about objects with labels that the actor does not hold.
func (s *Service) Deliveries(ctx context.Context, a audience.Actor, id audience.WebhookID, after *audience.Position, limit int) ([]audience.Delivery, error) {
	if err := allow(a, toWrite); err != nil {
		return nil, err
	}
	if limit < 1 || limit > MaxDeliveries+1 {
		return nil, audience.InvalidField("limit", "must be from 1 to %d", MaxDeliveries)
	}
	w, err := webhookOf(ctx, s.cfg.Store, a, id)
	if err != nil {
		return nil, err
	}
	var seen []audience.Delivery
	for {
		page, err := s.cfg.Store.Deliveries(ctx, w.ID, after, MaxDeliveries)
		if err != nil {
			return nil, err
		}
		for _, d := range page {
			after = &audience.Position{At: d.At, ID: d.EventID}
			if !a.Grants.Covers(d.Labels) {
				continue
			}
			if seen = append(seen, d); len(seen) == limit {
				return seen, nil
			}
		}
		if len(page) < MaxDeliveries {
			return seen, nil
		}
	}
}

// webhookFacts returns the properties of a webhook for the audit log. Of its address it includes only the host, because
// the rest may be secret.
func webhookFacts(w *audience.Webhook) map[string]any {
	return map[string]any{"host": hostOf(w.URL), "url": digest(w.URL), "description": digest(w.Description), "events": w.Events, "enabled": w.Enabled}
}

// hostOf returns the host of an address, with its port; "-" if there is none.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "-"
	}
	return u.Host
}
