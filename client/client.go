// Package client is the typed Go client of Roster's REST API, and the API's wire types. It imports only the
// standard library.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// Client calls a Roster server as one API client in one sandbox. It obtains and renews its tokens automatically. Its
// methods are safe for concurrent use; its fields must not change after the first call.
type Client struct {
	BaseURL      string // without a slash at the end
	TokenURL     string // "" for BaseURL + "/ims/token/v3"
	Org          string
	Sandbox      string
	ClientID     string
	ClientSecret string
	// HTTP sends the requests; http.DefaultClient when nil.
	HTTP *http.Client
	// Patience is how long a call waits for a server that has answered before and does not answer now, such as a server
	// that restarts. After that the call returns an UnreachableError. With Patience, POSTs are sent with an
	// Idempotency-Key, so that they can be repeated; deletes are not repeated. With 0, only calls that read are
	// repeated, for some seconds.
	Patience time.Duration
	// OnOutage is called with the reason when a call starts to wait for the server, and with nil when the server
	// answers again. Optional.
	OnOutage func(reason error)

	mu      sync.Mutex
	token   string
	renewAt time.Time
}

// LoadCredentials returns a client for the server and the API client in a credentials file, such as the
// credentials.json of a data directory.
func LoadCredentials(file string) (*Client, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var c struct {
		BaseURL      string `json:"base_url"`
		TokenURL     string `json:"token_url"`
		OrgID        string `json:"org_id"`
		Sandbox      string `json:"sandbox"`
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("%s is not a credentials file: %w", file, err)
	}
	for name, value := range map[string]string{"base_url": c.BaseURL, "org_id": c.OrgID, "sandbox": c.Sandbox,
		"client_id": c.ClientID, "client_secret": c.ClientSecret} {
		if value == "" {
			return nil, fmt.Errorf("%s is not a credentials file: %s is missing", file, name)
		}
	}
	return &Client{BaseURL: strings.TrimRight(c.BaseURL, "/"), TokenURL: c.TokenURL, Org: c.OrgID,
		Sandbox: c.Sandbox, ClientID: c.ClientID, ClientSecret: c.ClientSecret}, nil
}

// Limits of repetitions of calls, and when a token is renewed.
const (
	attempts    = 4
	firstDelay  = 200 * time.Millisecond
	renewBefore = 10 * time.Minute // before a token expires
	maxAnswer   = 256 << 20
)

// request is one call.
type request struct {
	method, path string
	query        url.Values
	body         any       // sent as JSON when not nil
	key          string    // Idempotency-Key of a POST
	stream       io.Reader // sent as it is when not nil
	length       int64     // of stream in bytes; 0 when unknown
	header       http.Header
	reads        bool // a call other than GET that changes nothing
}

// call makes a call and decodes its answer into out, unless out is nil. A call that only reads is repeated after a
// transport error or a 429, 502, 503 or 504; any call except an upload is repeated once with a new token after its
// token was refused, because a refused call had no effect. For other repetitions see Patience.
func (c *Client) call(ctx context.Context, r request, out any) error {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return err
		}
	}
	if c.Patience > 0 && r.method == http.MethodPost {
		r.key = rand.Text()
	}
	renewed, wait := false, outage{c: c}
	for attempt := 1; ; attempt++ {
		err := c.once(ctx, r, body, out)
		if err == nil || ctx.Err() != nil {
			wait.end()
			return err
		}
		if again, err := wait.again(ctx, r, err); again || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		var refused *APIError
		if errors.As(err, &refused) && refused.Code == codeBadToken && !renewed && r.stream == nil {
			renewed = true
			c.discardToken()
			continue
		}
		if r.method != http.MethodGet && !r.reads || attempt == attempts || !passing(err) {
			return err
		}
		if err := sleep(ctx, retryDelay(err, attempt)); err != nil {
			return err
		}
	}
}

// passing reports whether an error is temporary.
func passing(err error) bool {
	var refused *APIError
	if !errors.As(err, &refused) {
		var transport *url.Error
		return errors.As(err, &transport)
	}
	switch refused.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

func retryDelay(err error, attempt int) time.Duration {
	var refused *APIError
	if errors.As(err, &refused) && refused.RetryAfter > 0 {
		return refused.RetryAfter
	}
	return firstDelay << (attempt - 1)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// once makes a single attempt of a call.
func (c *Client) once(ctx context.Context, r request, body []byte, out any) error {
	token, err := c.bearer(ctx)
	if err != nil {
		return err
	}
	var reader io.Reader
	switch {
	case r.stream != nil:
		reader = r.stream
	case body != nil:
		reader = bytes.NewReader(body)
	}
	target := c.BaseURL + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, reader)
	if err != nil {
		return err
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if r.length > 0 {
		req.ContentLength = r.length
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("x-api-key", c.ClientID)
	req.Header.Set("x-gw-ims-org-id", c.Org)
	req.Header.Set("x-sandbox-name", c.Sandbox)
	req.Header.Set("Accept", "application/json")
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	} else if r.stream != nil {
		req.Header.Set("Content-Type", "application/octet-stream")
		req.Header.Set("Expect", "100-continue") // so that the client reads a refusal instead of seeing a broken connection
	}
	return c.send(req, out)
}

// send sends a request and decodes its answer.
func (c *Client) send(req *http.Request, out any) error {
	hc := c.HTTP
	if hc == nil {
		hc = http.DefaultClient
	}
	resp, err := hc.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if d, ok := out.(*download); ok && resp.StatusCode < 300 {
		return d.take(req, resp)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return &url.Error{Op: req.Method, URL: req.URL.Redacted(), Err: err}
	}
	if resp.StatusCode >= 300 {
		return newAPIError(req, resp, data)
	}
	if out == nil || resp.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("%s %s: cannot decode the answer: %w", req.Method, req.URL.Path, err)
	}
	return nil
}

// download receives an answer of any length.
type download struct {
	to     io.Writer
	header http.Header // of the answer
}

// take copies an answer to d.to. After an error a part of the answer is already written, so the call is not repeated.
func (d *download) take(req *http.Request, resp *http.Response) error {
	d.header = resp.Header
	if n, err := io.Copy(d.to, resp.Body); err != nil {
		return fmt.Errorf("%s %s: the answer broke off after %d bytes: %v", req.Method, req.URL.Path, n, err)
	}
	return nil
}

// bearer returns a token that is valid for at least renewBefore.
func (c *Client) bearer(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != "" && time.Now().Before(c.renewAt) {
		return c.token, nil
	}
	target := c.TokenURL
	if target == "" {
		target = c.BaseURL + "/ims/token/v3"
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret},
		"scope": {"openid"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var t Token
	if err := c.send(req, &t); err != nil {
		return "", err
	}
	life := time.Duration(t.ExpiresIn) * time.Second
	c.token, c.renewAt = t.AccessToken, time.Now().Add(max(life-renewBefore, life/2))
	return c.token, nil
}

func (c *Client) discardToken() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = ""
}

// Token is the answer to a token request.
type Token struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
}

// TokenFailure is the answer to a token request that was refused.
type TokenFailure struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}
