package client

import (
	"context"
	"net/http"
	"net/url"
)

const (
	pathErasures   = "/roster/erasures"
	pathWorkOrders = "/data/core/hygiene/workorder"
)

// Erase starts the removal of an identity from all audiences of the sandbox.
func (c *Client) Erase(ctx context.Context, namespace, identity string) (ErasureStarted, error) {
	var out ErasureStarted
	query := url.Values{"schema.name": {"_xdm.context.profile"}, "entityId": {identity}, "entityIdNS": {namespace}}
	err := c.call(ctx, request{method: http.MethodDelete, path: pathEntities, query: query}, &out)
	return out, err
}

// EraseAll starts the removal of several identities from all audiences of the sandbox. Each gets its own erasure.
func (c *Client) EraseAll(ctx context.Context, order NewWorkOrder) (WorkOrder, error) {
	var out WorkOrder
	err := c.call(ctx, request{method: http.MethodPost, path: pathWorkOrders, body: order}, &out)
	return out, err
}

// WorkOrder reads the state of a work order.
func (c *Client) WorkOrder(ctx context.Context, id string) (WorkOrder, error) {
	var out WorkOrder
	err := c.call(ctx, request{method: http.MethodGet, path: pathWorkOrders + "/" + url.PathEscape(id)}, &out)
	return out, err
}

// Erasure reads one erasure.
func (c *Client) Erasure(ctx context.Context, id string) (Erasure, error) {
	var out Erasure
	err := c.call(ctx, request{method: http.MethodGet, path: pathErasures + "/" + url.PathEscape(id)}, &out)
	return out, err
}

// Certificate reads the certificate of an erasure that ended SUCCESS.
func (c *Client) Certificate(ctx context.Context, id string) (SignedCertificate, error) {
	var out SignedCertificate
	err := c.call(ctx, request{method: http.MethodGet, path: pathErasures + "/" + url.PathEscape(id) + "/certificate"}, &out)
	return out, err
}
