package sqlstore

import (
	"context"
	"fmt"
	"time"

	"roster/internal/audience"
	"roster/internal/meta"
)

const (
	webhookColumns = `id, org, sandbox, url, description, events, sealed, enabled, note, failing_since, created_by, created_at,
	updated_by, updated_at`
	deliveryColumns = `webhook_id, event_id, type, at, labels, body, state, attempts, next_at`
)

func scanWebhook(r row) (w audience.Webhook, err error) {
	return w, r.Scan(&w.ID, &w.Scope.Org, &w.Scope.Sandbox, &w.URL, &w.Description, asJSON(&w.Events), &w.Sealed, &w.Enabled, &w.Note,
		asTime(&w.FailingSince), &w.CreatedBy, asTime(&w.CreatedAt), &w.UpdatedBy, asTime(&w.UpdatedAt))
}

func scanDelivery(r row) (d audience.Delivery, err error) {
	return d, r.Scan(&d.WebhookID, &d.EventID, &d.Type, asTime(&d.At), asJSON(&d.Labels), &d.Body, &d.State, asJSON(&d.Attempts), asTime(&d.NextAt))
}

// Webhook implements meta.Reader.
func (q queries) Webhook(ctx context.Context, scope audience.Scope, id audience.WebhookID) (audience.Webhook, error) {
	return one(ctx, q, "the webhook", `SELECT `+webhookColumns+` FROM webhooks WHERE id = $1 AND org = $2 AND sandbox = $3`,
		[]any{id, scope.Org, scope.Sandbox}, scanWebhook)
}

// Webhooks implements meta.Reader.
func (q queries) Webhooks(ctx context.Context, scope audience.Scope) ([]audience.Webhook, error) {
	return list(ctx, q, "the webhooks", `SELECT `+webhookColumns+` FROM webhooks WHERE org = $1 AND sandbox = $2 ORDER BY created_at, id`,
		[]any{scope.Org, scope.Sandbox}, scanWebhook)
}

// DueWebhooks implements meta.Reader.
func (q queries) DueWebhooks(ctx context.Context, now time.Time) ([]audience.WebhookID, error) {
	return list(ctx, q, "the webhooks with something to send", `SELECT id FROM webhooks WHERE enabled AND EXISTS (SELECT 1 FROM deliveries
		WHERE webhook_id = webhooks.id AND state = 'pending' AND next_at <= $1) ORDER BY id`, []any{asTime(&now)}, value[audience.WebhookID])
}

// NextDelivery implements meta.Reader.
func (q queries) NextDelivery(ctx context.Context, id audience.WebhookID, now time.Time) (w audience.Webhook, d audience.Delivery, err error) {
	err = q.view(ctx, func(q queries) error {
		w, err = one(ctx, q, "the webhook", `SELECT `+webhookColumns+` FROM webhooks WHERE id = $1 AND enabled`, []any{id}, scanWebhook)
		if err != nil {
			return err
		}
		d, err = one(ctx, q, "the next delivery", `SELECT `+deliveryColumns+` FROM deliveries WHERE webhook_id = $1 AND state = 'pending' AND next_at <= $2
			ORDER BY next_at, event_id LIMIT 1`, []any{id, asTime(&now)}, scanDelivery)
		return err
	})
	return w, d, err
}

// Deliveries implements meta.Reader.
func (q queries) Deliveries(ctx context.Context, id audience.WebhookID, after *audience.Position, limit int) ([]audience.Delivery, error) {
	where, args := `webhook_id = $1`, []any{id}
	if after != nil {
		where += ` AND (at, event_id) < ($2, $3)`
		args = append(args, asTime(&after.At), after.ID)
	}
	args = append(args, max(limit, 0))
	return list(ctx, q, "the deliveries", `SELECT `+deliveryColumns+` FROM deliveries WHERE `+where+
		fmt.Sprintf(` ORDER BY at DESC, event_id DESC LIMIT $%d`, len(args)), args, scanDelivery)
}

func (t *tx) CreateWebhook(ctx context.Context, w audience.Webhook) error {
	return t.insert(ctx, "the webhook", "webhooks", webhookColumns, w.ID, w.Scope.Org, w.Scope.Sandbox, w.URL, w.Description, asJSON(&w.Events),
		w.Sealed, w.Enabled, w.Note, asTime(&w.FailingSince), w.CreatedBy, asTime(&w.CreatedAt), w.UpdatedBy, asTime(&w.UpdatedAt))
}

func (t *tx) UpdateWebhook(ctx context.Context, w audience.Webhook) error {
	return t.must(ctx, meta.ErrNotFound, "the webhook", `UPDATE webhooks SET url = $1, description = $2, events = $3, enabled = $4, note = $5,
		failing_since = $6, updated_by = $7, updated_at = $8 WHERE id = $9 AND org = $10 AND sandbox = $11`,
		w.URL, w.Description, asJSON(&w.Events), w.Enabled, w.Note, asTime(&w.FailingSince), w.UpdatedBy, asTime(&w.UpdatedAt),
		w.ID, w.Scope.Org, w.Scope.Sandbox)
}

func (t *tx) DeleteWebhook(ctx context.Context, scope audience.Scope, id audience.WebhookID) error {
	if _, err := t.Webhook(ctx, scope, id); err != nil {
		return err
	}
	if _, err := t.exec(ctx, "the deliveries", `DELETE FROM deliveries WHERE webhook_id = $1`, id); err != nil {
		return err
	}
	return t.must(ctx, meta.ErrNotFound, "the webhook", `DELETE FROM webhooks WHERE id = $1`, id)
}

// deleteWebhooks removes the webhooks of a sandbox and their deliveries.
func (t *tx) deleteWebhooks(ctx context.Context, scope audience.Scope) error {
	_, err := t.exec(ctx, "the deliveries", `DELETE FROM deliveries WHERE webhook_id IN (SELECT id FROM webhooks WHERE org = $1 AND sandbox = $2)`, scope.Org, scope.Sandbox)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, "the webhooks", `DELETE FROM webhooks WHERE org = $1 AND sandbox = $2`, scope.Org, scope.Sandbox)
	return err
}

func (t *tx) CreateDelivery(ctx context.Context, d audience.Delivery) error {
	return t.insert(ctx, "the delivery", "deliveries", deliveryColumns, d.WebhookID, d.EventID, d.Type, asTime(&d.At), asJSON(&d.Labels), d.Body,
		d.State, asJSON(&d.Attempts), asTime(&d.NextAt))
}

func (t *tx) UpdateDelivery(ctx context.Context, d audience.Delivery) error {
	return t.must(ctx, meta.ErrNotFound, "the delivery", `UPDATE deliveries SET state = $1, attempts = $2, next_at = $3 WHERE webhook_id = $4 AND event_id = $5`,
		d.State, asJSON(&d.Attempts), asTime(&d.NextAt), d.WebhookID, d.EventID)
}

func (t *tx) DeleteDeliveries(ctx context.Context, before time.Time) (int64, error) {
	return t.exec(ctx, "the deliveries", `DELETE FROM deliveries WHERE at < $1`, asTime(&before))
}
