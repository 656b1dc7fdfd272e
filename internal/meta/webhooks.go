package meta

import (
	"context"
	"time"

	"roster/internal/audience"
)

// Webhooks reads webhooks and their deliveries.
type Webhooks interface {
	Webhook(ctx context.Context, scope audience.Scope, id audience.WebhookID) (audience.Webhook, error)
	// Webhooks lists by creation time, then id.
	Webhooks(ctx context.Context, scope audience.Scope) ([]audience.Webhook, error)
	// DueWebhooks lists the enabled webhooks of all organizations that have a delivery which is due by now, by id.
	DueWebhooks(ctx context.Context, now time.Time) ([]audience.WebhookID, error)
	// NextDelivery returns the delivery of a webhook that has been due longest; ErrNotFound if none is due by now, or
	// if the webhook is disabled or deleted.
	NextDelivery(ctx context.Context, id audience.WebhookID, now time.Time) (audience.Webhook, audience.Delivery, error)
	// Deliveries lists a webhook's deliveries by the time of their events, the newest first; after is the place that the
	// list goes on after, nil begins it.
	Deliveries(ctx context.Context, id audience.WebhookID, after *audience.Position, limit int) ([]audience.Delivery, error)
}

// WebhooksTx changes webhooks and their deliveries in a transaction.
type WebhooksTx interface {
	Webhooks
	CreateWebhook(ctx context.Context, w audience.Webhook) error // ErrDuplicate (ID)
	// UpdateWebhook stores URL, Description, Events, Enabled, Note, FailingSince, UpdatedBy and UpdatedAt.
	UpdateWebhook(ctx context.Context, w audience.Webhook) error
	// DeleteWebhook removes a webhook and its deliveries.
	DeleteWebhook(ctx context.Context, scope audience.Scope, id audience.WebhookID) error
	CreateDelivery(ctx context.Context, d audience.Delivery) error // ErrDuplicate (event of the webhook)
	// UpdateDelivery stores State, Attempts and NextAt.
	UpdateDelivery(ctx context.Context, d audience.Delivery) error
	// DeleteDeliveries removes the deliveries of events before a time and returns their number.
	DeleteDeliveries(ctx context.Context, before time.Time) (int64, error)
}
