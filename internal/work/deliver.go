package work

import (
	"context"
	"errors"
	"fmt"
	"time"

	"roster/internal/audience"
	"roster/internal/events"
	"roster/internal/job"
	"roster/internal/meta"
	"roster/internal/webhook"
)

const (
	// firstRetry is the wait after the first failed attempt. Each further wait is twice as long, up to longestRetry.
	firstRetry   = 5 * time.Second
	longestRetry = 3 * time.Hour
	// triedFor is how long after its event a delivery is tried, and how long a webhook may fail before it is disabled.
	triedFor = 24 * time.Hour
	// keepDeliveries is how long deliveries stay in the log.
	keepDeliveries = 30 * 24 * time.Hour
	// deliverAtOnce limits the deliveries of one job.
	deliverAtOnce = 100
)

// unsent returns the jobs of the webhooks with deliveries that are due.
func (s *Service) unsent(ctx context.Context, now time.Time) ([]job.Job, error) {
	due, err := s.cfg.Store.DueWebhooks(ctx, now)
	if err != nil {
		return nil, fmt.Errorf("look for webhooks with deliveries: %w", err)
	}
	var jobs []job.Job
	for _, id := range due {
		jobs = append(jobs, job.Job{Kind: job.Webhook, ID: string(id)})
	}
	return jobs, nil
}

// doWebhook sends the due deliveries of a webhook, one after the other. It ends at the first that fails, so that an
// endpoint that does not answer delays nobody else; Recover enqueues the rest. A message may arrive twice, if the
// process ends between the answer and its record.
func (s *Service) doWebhook(ctx context.Context, name string) error {
	id := audience.WebhookID(name)
	for range deliverAtOnce {
		h, d, err := s.cfg.Store.NextDelivery(ctx, id, s.now())
		if errors.Is(err, meta.ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look for deliveries to webhook %s: %w", id, err)
		}
		worksIn(ctx, h.Scope)
		if done, err := s.deliver(ctx, &h, &d); err != nil || !done {
			return err
		}
	}
	return nil
}

// deliver makes an attempt at a delivery and records it. It returns false if the attempt failed.
func (s *Service) deliver(ctx context.Context, h *audience.Webhook, d *audience.Delivery) (bool, error) {
	may, err := events.MayReceive(ctx, s.cfg.Store, h, d.Labels)
	if err != nil {
		return false, err
	}
	if !may {
		d.State = audience.DeliveryWithheld
		return true, s.attempted(ctx, h, d, 0)
	}
	secret, err := s.cfg.Secrets.Open(h.Sealed, meta.SealedWebhook.Place(string(h.ID)))
	if err != nil {
		return false, fmt.Errorf("webhook %s: %w", h.ID, err)
	}
	a := audience.DeliveryAttempt{At: s.now()}
	a.Status, err = s.cfg.WebhookSender.Send(ctx, webhook.Message{URL: h.URL, Secret: string(secret), ID: d.EventID, At: a.At, Body: []byte(d.Body)})
	if ctx.Err() != nil && a.Status == 0 {
		return false, ctx.Err()
	}
	d.State = audience.DeliveryDelivered
	if err != nil {
		a.Error = err.Error()
		d.State = audience.DeliveryPending
	}
	d.Attempts = append(d.Attempts, a)
	if err != nil {
		s.postpone(d)
		s.logOf(h.Scope).Debug("an attempt at a webhook delivery failed", "webhook", h.ID, "event", d.EventID, "attempt", len(d.Attempts), "status", a.Status, "error", err)
	}
	return err == nil, s.attempted(ctx, h, d, a.Status)
}

// postpone sets the time of the next attempt at a failed delivery. After triedFor the delivery fails.
func (s *Service) postpone(d *audience.Delivery) {
	now := s.now()
	if now.Sub(d.At) >= triedFor {
		d.State = audience.DeliveryFailed
		return
	}
	wait := longestRetry
	if n := len(d.Attempts) - 1; n < 12 {
		wait = min(firstRetry<<n, longestRetry)
	}
	d.NextAt = now.Add(wait)
	if end := d.At.Add(triedFor); d.NextAt.After(end) {
		d.NextAt = end
	}
}

// attempted records an attempt, also if the process was told to stop meanwhile, and its consequence for the webhook.
func (s *Service) attempted(ctx context.Context, h *audience.Webhook, d *audience.Delivery, status int) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewEvery)
	defer cancel()
	if d.State != audience.DeliveryPending {
		d.NextAt = time.Time{}
	}
	var disabled string
	err := s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
		disabled = ""
		if err := tx.UpdateDelivery(ctx, *d); err != nil {
			return err
		}
		now, err := tx.Webhook(ctx, h.Scope, h.ID)
		if err != nil {
			return err
		}
		was := now
		s.judge(&now, d, status)
		if was.FailingSince.Equal(now.FailingSince) && now.Enabled {
			return nil
		}
		if was.Enabled && !now.Enabled {
			disabled = now.Note
		}
		return tx.UpdateWebhook(ctx, now)
	})
	if errors.Is(err, meta.ErrNotFound) {
		return nil // the webhook was deleted meanwhile
	}
	if err != nil {
		return fmt.Errorf("record an attempt at webhook %s: %w", h.ID, err)
	}
	s.cfg.Observer.Attempted(d.State)
	log := s.logOf(h.Scope).With("webhook", h.ID)
	if d.State == audience.DeliveryFailed {
		last := d.Attempts[len(d.Attempts)-1]
		log.Warn("a webhook delivery failed for good", "event", d.EventID, "type", d.Type, "attempts", len(d.Attempts), "seconds", s.now().Sub(d.At).Seconds(),
			"status", last.Status, "error", last.Error)
	}
	if disabled != "" {
		log.Warn("a webhook was disabled", "reason", disabled)
	}
	return nil
}

// judge updates a webhook after an attempt. It disables a webhook whose attempts have all failed for triedFor, or whose
// endpoint answered that it is gone.
func (s *Service) judge(h *audience.Webhook, d *audience.Delivery, status int) {
	now := s.now()
	switch {
	case d.State == audience.DeliveryDelivered:
		h.FailingSince = time.Time{}
	case d.State == audience.DeliveryWithheld || !h.Enabled:
	case status == webhook.StatusGone:
		h.Enabled, h.Note = false, "disabled: the endpoint answered that it is gone (status 410)"
	case h.FailingSince.IsZero():
		h.FailingSince = now
	case now.Sub(h.FailingSince) >= triedFor:
		h.Enabled = false
		h.Note = "disabled after a day without success; at the last attempt " + d.Attempts[len(d.Attempts)-1].Error
	}
}
