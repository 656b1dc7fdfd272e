package client

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// Do makes a call that has no method here, so a program reaches every operation of openapi.yaml. The path is as in openapi.yaml, with
// values escaped by url.PathEscape. The body is sent as JSON, or as it is when it is an io.Reader; nil is no body. The answer
// is decoded from JSON into out, or copied when out is an io.Writer; nil ignores it. A GET is repeated as other calls that
// only read.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, body, out any) error {
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf("%s %s: the path must begin with a slash", method, path) // otherwise it could lead to another host
	}
	r := request{method: method, path: path, query: query, body: body}
	if stream, is := body.(io.Reader); is {
		r.body, r.stream = nil, io.NopCloser(stream)
	}
	if w, is := out.(io.Writer); is {
		out = &download{to: w}
	}
	return c.call(ctx, r, out)
}
