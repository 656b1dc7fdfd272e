package auth

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
)

const (
	here      = "192.0.2.1:4711"
	alsoHere  = "192.0.2.1:4712"
	elsewhere = "192.0.2.2:4711"
)

// tried asks for a token and tells how that ended.
func (b *bundle) tried(remote, client, secret string) string {
	b.t.Helper()
	_, _, err := b.issuer.Token(b.t.Context(), remote, client, secret)
	switch coded := (*audience.Error)(nil); {
	case err == nil:
		return "right"
	case errors.Is(err, ErrInvalidClient):
		return "wrong"
	case errors.As(err, &coded) && coded.Code == audience.TooMany && coded.RetryAfter > 0:
		return "too many"
	default:
		b.t.Fatal(err)
		return ""
	}
}

func TestAttemptLimiterOfSecrets(t *testing.T) {
	t.Parallel()
	b := setup(t)
	counts := map[string]int{}
	for range 300 {
		counts[b.tried(alsoHere, testClient, "guess")]++
	}
	if counts["wrong"] != 10 || counts["too many"] != 290 {
		t.Error(counts)
	}
	for _, c := range []struct{ remote, client, secret, want string }{
		{alsoHere, testClient, secret, "too many"},
		{elsewhere, testClient, secret, "right"},
		{"[2001:db8::1]:80", testClient, secret, "right"},
		{here, "another", "guess", "wrong"},
	} {
		if got := b.tried(c.remote, c.client, c.secret); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	b.now = b.now.Add(6 * time.Second)
	if first, second := b.tried(here, testClient, "guess"), b.tried(here, testClient, secret); first != "wrong" || second != "too many" {
		t.Error(first, second)
	}
	b.now = b.now.Add(6 * time.Second)
	if got := b.tried(here, testClient, secret); got != "right" {
		t.Error(got)
	}
}

// TestAttemptLimiterOfAnAddress tries clients that do not exist: the address has to wait, but not a client that was right there before.
func TestAttemptLimiterOfAnAddress(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if got := b.tried(here, testClient, secret); got != "right" {
		t.Fatal(got)
	}
	counts := map[string]int{}
	for i := range 300 {
		counts[b.tried(here, fmt.Sprint("client ", i), "guess")]++
	}
	if counts["wrong"] != 50 {
		t.Error(counts)
	}
	if known, other, away := b.tried(here, testClient, secret), b.tried(here, "yet another", "guess"), b.tried(elsewhere, "yet another", "guess"); known != "right" || other != "too many" || away != "wrong" {
		t.Error(known, other, away)
	}
	for i := range 300 { // addresses of one network of IPv6 are one
		counts[b.tried(fmt.Sprintf("[2001:db8::%x]:80", i+1), fmt.Sprint("client ", i), "guess")]++
	}
	if counts["wrong"] != 100 {
		t.Error(counts)
	}
}

func TestAttemptLimiterOfTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	good := Headers{Authorization: "Bearer " + b.token, APIKey: testClient, Org: testOrg, Sandbox: "prod", Remote: here}
	if _, err := b.issuer.Authenticate(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	codes := map[audience.Code]int{}
	for i := range 500 {
		forged := good
		forged.Authorization = fmt.Sprint("Bearer ", strings.TrimSuffix(b.token, "A"), i)
		_, err := b.issuer.Authenticate(t.Context(), forged)
		codes[audience.CodeOf(err)]++
	}
	if codes[audience.BadToken] != 100 || codes[audience.TooMany] != 400 {
		t.Error(codes)
	}
	if _, err := b.issuer.Authenticate(t.Context(), good); err != nil {
		t.Error("a token that was seen before: ", err)
	}
	fresh, _, err := b.issuer.Token(t.Context(), here, testClient, secret)
	if err != nil {
		t.Fatal(err)
	}
	good.Authorization, good.Remote = "Bearer "+fresh, elsewhere
	if _, err := b.issuer.Authenticate(t.Context(), good); err != nil {
		t.Error("a token from another address: ", err)
	}
}

// TestAttemptLimiterForgets has a limiter meet more places than it remembers.
func TestAttemptLimiterForgets(t *testing.T) {
	t.Parallel()
	now := time.Unix(1749624273, 0)
	b := NewAttemptLimiter(func() time.Time { return now })
	for i := range 3 * maxPlaces {
		_ = b.Wrong(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255), "client")
	}
	if len(b.spent) > maxPlaces+2 {
		t.Error(len(b.spent))
	}
}
