package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// UnreachableError says that a server did not answer within Client.Patience.
type UnreachableError struct {
	BaseURL string
	Waited  time.Duration
	Err     error // of the last attempt
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("the server at %s has not answered for %s: %v", e.BaseURL, e.Waited.Round(time.Second), e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// outage tracks the time that a call waits for a server that does not answer.
type outage struct {
	c     *Client
	began time.Time // zero while the server answers
	tries int
	told  bool
}

// again waits and reports whether to repeat the call after an error. A returned error ends the call, because the
// patience is used up.
func (o *outage) again(ctx context.Context, r request, err error) (bool, error) {
	var refused *APIError
	var transport *url.Error
	away := errors.As(err, &transport)
	if errors.As(err, &refused) {
		away = refused.Status == http.StatusBadGateway || refused.Status == http.StatusServiceUnavailable || refused.Status == http.StatusGatewayTimeout
	}
	if !away || r.stream != nil || r.method == http.MethodDelete || o.c.Patience == 0 || !o.c.answered() {
		o.end()
		return false, nil
	}
	if o.began.IsZero() {
		o.began = time.Now()
	}
	if waited := time.Since(o.began); waited >= o.c.Patience {
		return false, &UnreachableError{BaseURL: o.c.BaseURL, Waited: waited, Err: reason(err)}
	}
	if o.tries++; o.tries > 1 && !o.told && o.c.OnOutage != nil { // a single failure may be a closed connection
		o.told = true
		o.c.OnOutage(reason(err))
	}
	delay := min(firstDelay<<min(o.tries-1, 10), slowestAsk, o.c.Patience)
	if err := sleep(ctx, delay); err != nil {
		return false, err
	}
	return true, nil
}

// slowestAsk is the longest interval between two attempts to reach a server.
const slowestAsk = 2 * time.Second

// end reports that the server answers again.
func (o *outage) end() {
	if o.told && o.c.OnOutage != nil {
		o.c.OnOutage(nil)
	}
	o.began, o.tries, o.told = time.Time{}, 0, false
}

// reason returns an error of the transport without the request's URL and method.
func reason(err error) error {
	if transport := (*url.Error)(nil); errors.As(err, &transport) {
		return transport.Err
	}
	return err
}

// answered reports whether the server has answered before.
func (c *Client) answered() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token != ""
}
