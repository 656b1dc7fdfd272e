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

// maxWebhooks is how many webhooks a sandbox can have.
const maxWebhooks = 20

// MaxDeliveries is how many deliveries can be asked for at once.
const MaxDeliveries = 100

// Webhooks are for those who write: an address may hold what others must not know.

// CreateWebhook records a webhook of the actor's sandbox. Only URL, Description and Events of it count. Its secret is
// told here and never again.
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
			return audience.Errorf(audience.Impossible, "sandbox %q has %d webhooks, which is the most that it can have; delete one first", w.Scope.Sandbox, len(all))
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

// hears refuses what would make an enabled webhook one that is told nothing. What it is told is what the client that last
// changed it may see at that time, which this server knows of its own clients only.
func hears(ctx context.Context, r meta.Clients, w *audience.Webhook) error {
	may, err := events.MayReceive(ctx, r, w, nil)
	if err == nil && !may && w.Enabled {
		return audience.Errorf(audience.Impossible, "the webhook would be told nothing: %.100q is no API client of this server that is %s in sandbox %q; make it by one", w.UpdatedBy, toWrite, w.Scope.Sandbox)
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

// WebhookPatch changes a webhook; nil leaves a property as it is. A new URL needs the webhook's Secret: whoever answers there gets
// messages that are signed by it, and could pass them on to those who trust the signature.
type WebhookPatch struct {
	URL, Description *string
	Secret           string
	Events           []audience.EventType
	Enabled          *bool
}

// UpdateWebhook changes a webhook. From then on it is told what the actor may see. A new address, and being enabled, give
// it another day before it is disabled for its failures.
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

// knowsSecret refuses a new address without the secret, and a secret that is another one than the webhook's.
func (s *Service) knowsSecret(was, now *audience.Webhook, given string) error {
	if given == "" {
		if now.URL != was.URL {
			return audience.InvalidField("secret", "is required with another url: the secret that the webhook was created with, by which messages are signed; "+
				"who does not have it creates another webhook")
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

// DeleteWebhook removes a webhook and its log. What is not sent yet is not sent any more.
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

// TestWebhook sends a webhook an event that says nothing, and returns the event's id, by which it is found in the log.
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
			return audience.Errorf(audience.Impossible, "webhook %s is told nothing, since the API client that last changed it is no %s of the sandbox any more; change it to be told what you may see", w.ID, toWrite)
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

// Deliveries lists what was sent to a webhook and is to be sent, the newest event first, beginning after a place unless
// that is nil. Events about what has labels that the actor does not hold are left out.
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

// webhookFacts are the properties of a webhook in the audit log. Of its address only the host is told: the rest may be
// a secret.
func webhookFacts(w *audience.Webhook) map[string]any {
	return map[string]any{"host": hostOf(w.URL), "url": digest(w.URL), "description": digest(w.Description), "events": w.Events, "enabled": w.Enabled}
}

// hostOf is the host of an address, with its port; "-" when there is none.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "-"
	}
	return u.Host
}
