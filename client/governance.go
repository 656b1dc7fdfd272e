package client

import (
	"context"
	"net/http"
	"net/url"
)

// Paths of the calls for administrators.
const (
	pathClients = "/roster/clients"
	pathAudit   = "/roster/audit"
)

// APIClients reads a page of the organization's API clients. start is "" or a page's Next; limit 0 is the default.
func (c *Client) APIClients(ctx context.Context, start string, limit int) (APIClientList, error) {
	var out APIClientList
	err := c.call(ctx, request{method: http.MethodGet, path: pathClients, query: page(start, limit)}, &out)
	return out, err
}

// APIClient reads one API client.
func (c *Client) APIClient(ctx context.Context, id string) (APIClient, error) {
	var out APIClient
	err := c.call(ctx, request{method: http.MethodGet, path: clientPath(id)}, &out)
	return out, err
}

// CreateAPIClient creates an API client. The answer contains the secret, which no later answer contains.
func (c *Client) CreateAPIClient(ctx context.Context, n NewAPIClient) (APIClient, error) {
	var out APIClient
	err := c.call(ctx, request{method: http.MethodPost, path: pathClients, body: n}, &out)
	return out, err
}

// UpdateAPIClient changes an API client.
func (c *Client) UpdateAPIClient(ctx context.Context, id string, p APIClientPatch) (APIClient, error) {
	var out APIClient
	err := c.call(ctx, request{method: http.MethodPatch, path: clientPath(id), body: p}, &out)
	return out, err
}

// DeleteAPIClient deletes an API client. Its tokens become invalid at once.
func (c *Client) DeleteAPIClient(ctx context.Context, id string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: clientPath(id)}, nil)
}

// NewSecret creates a new secret for an API client and returns it in the answer.
func (c *Client) NewSecret(ctx context.Context, id string, n NewSecret) (APIClient, error) {
	var out APIClient
	err := c.call(ctx, request{method: http.MethodPost, path: clientPath(id) + "/secrets", body: n}, &out)
	return out, err
}

// AuditLog reads a page of the audit log. query is as in the API's documents (limit, start, clientId, action, object,
// outcome, requestId, sandbox, since, until); nil is the first page.
func (c *Client) AuditLog(ctx context.Context, query url.Values) (AuditLog, error) {
	var out AuditLog
	err := c.call(ctx, request{method: http.MethodGet, path: pathAudit, query: query}, &out)
	return out, err
}

func clientPath(id string) string { return pathClients + "/" + url.PathEscape(id) }

// RotateSecrets seals every secret of the server with a new key.
func (c *Client) RotateSecrets(ctx context.Context) (RotatedSecrets, error) {
	var out RotatedSecrets
	err := c.call(ctx, request{method: http.MethodPost, path: "/roster/secrets/rotate"}, &out)
	return out, err
}
