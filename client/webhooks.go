package client

import (
	"context"
	"net/http"
	"net/url"
)

const pathWebhooks = "/roster/webhooks"

// Webhooks lists the webhooks of the sandbox.
func (c *Client) Webhooks(ctx context.Context) ([]Webhook, error) {
	var out WebhookList
	err := c.call(ctx, request{method: http.MethodGet, path: pathWebhooks}, &out)
	return out.Webhooks, err
}

// Webhook reads one webhook.
func (c *Client) Webhook(ctx context.Context, id string) (Webhook, error) {
	var out Webhook
	err := c.call(ctx, request{method: http.MethodGet, path: webhookPath(id)}, &out)
	return out, err
}

// CreateWebhook creates a webhook. The answer contains the secret, which no later answer contains.
func (c *Client) CreateWebhook(ctx context.Context, n NewWebhook) (Webhook, error) {
	var out Webhook
	err := c.call(ctx, request{method: http.MethodPost, path: pathWebhooks, body: n}, &out)
	return out, err
}

// UpdateWebhook changes a webhook.
func (c *Client) UpdateWebhook(ctx context.Context, id string, p WebhookPatch) (Webhook, error) {
	var out Webhook
	err := c.call(ctx, request{method: http.MethodPatch, path: webhookPath(id), body: p}, &out)
	return out, err
}

// DeleteWebhook deletes a webhook and its log.
func (c *Client) DeleteWebhook(ctx context.Context, id string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: webhookPath(id)}, nil)
}

// TestWebhook sends a test event to a webhook.
func (c *Client) TestWebhook(ctx context.Context, id string) (WebhookTest, error) {
	var out WebhookTest
	err := c.call(ctx, request{method: http.MethodPost, path: webhookPath(id) + "/test"}, &out)
	return out, err
}

// Deliveries reads a page of a webhook's log. start is "" or a page's Next; limit 0 is the default.
func (c *Client) Deliveries(ctx context.Context, id, start string, limit int) (DeliveryLog, error) {
	var out DeliveryLog
	err := c.call(ctx, request{method: http.MethodGet, path: webhookPath(id) + "/deliveries", query: page(start, limit)}, &out)
	return out, err
}

func webhookPath(id string) string { return pathWebhooks + "/" + url.PathEscape(id) }
