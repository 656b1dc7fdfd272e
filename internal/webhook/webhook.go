// Package webhook sends messages to endpoints of tenants, signed according to Standard Webhooks 1.0. The transport
// decides which addresses can be reached.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"roster/internal/netguard"
)

const (
	// timeout is the time limit of an attempt, from the name resolution to the end of the answer.
	timeout = 10 * time.Second
	// maxAnswer is how many bytes of an answer are read and discarded, so that its connection can be reused.
	maxAnswer = 1 << 10
	// secretSize is the size of a secret in bytes.
	secretSize   = 32
	secretPrefix = "whsec_"
)

// The headers of Standard Webhooks.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

// StatusGone is the answer of an endpoint that wants no more messages.
const StatusGone = http.StatusGone

// contentType is the content type of a structured CloudEvent.
const contentType = "application/cloudevents+json; charset=utf-8"

// Message is a message to an endpoint.
type Message struct {
	URL    string
	Secret string    // in the form of NewSecret
	ID     string    // the same in every attempt
	At     time.Time // of the attempt
	Body   []byte
}

// NewSecret makes a secret: "whsec_" and 32 random bytes in base64.
func NewSecret() string {
	key := make([]byte, secretSize)
	_, _ = rand.Read(key) // never fails
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

// Sign returns the signature of a message: "v1," and the HMAC-SHA256 of its id, time and body in base64.
func Sign(m *Message) (string, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Secret, secretPrefix))
	if err != nil {
		return "", errors.New("the secret of a webhook is not base64")
	}
	sum := hmac.New(sha256.New, key)
	fmt.Fprintf(sum, "%s.%d.%s", m.ID, m.At.Unix(), m.Body)
	return "v1," + base64.StdEncoding.EncodeToString(sum.Sum(nil)), nil
}

// Sender sends messages. It is safe for concurrent use.
type Sender struct {
	client http.Client
}

// NewSender returns a Sender over a transport, such as that of a netguard.Policy.
func NewSender(t http.RoundTripper) *Sender {
	return &Sender{client: http.Client{Transport: t, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Send sends a message once and returns the status of the answer; 0 if there was none. Every status except 2xx is an
// error, including redirects, which are not followed. The error can be shown to the tenant: it contains no part of the
// answer and no address.
func (s *Sender) Send(ctx context.Context, m Message) (status int, err error) {
	signature, err := Sign(&m)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return 0, errors.New("the address cannot be called")
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", "Roster")
	req.Header.Set(HeaderID, m.ID)
	req.Header.Set(HeaderTimestamp, strconv.FormatInt(m.At.Unix(), 10))
	req.Header.Set(HeaderSignature, signature)
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, reason(err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // only the status matters
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return code, nil
	case code >= 300 && code < 400:
		return code, fmt.Errorf("the endpoint redirected (status %d), which is not followed", code)
	default:
		return code, fmt.Errorf("the endpoint answered with status %d", code)
	}
}

// reason describes why there was no answer, without the addresses of hosts inside a network.
func reason(err error) error {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var slow net.Error
	switch {
	case errors.Is(err, netguard.ErrForbidden):
		return netguard.ErrForbidden
	case errors.As(err, &dns):
		return errors.New("the name of the host could not be resolved")
	case errors.As(err, &certificate):
		return errors.New("the certificate of the endpoint is not trusted")
	case errors.As(err, &slow) && slow.Timeout():
		return fmt.Errorf("the endpoint did not answer within %s", timeout)
	}
	return errors.New("the endpoint could not be reached")
}
