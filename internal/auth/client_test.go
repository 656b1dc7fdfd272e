package auth

import (
	"errors"
	"testing"
	"time"

	"roster/internal/audience"
)

// TestClearGrants changes a client's roles and labels while its grants are kept.
func TestClearGrants(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := b.headers(b.token)
	if g := b.accepted(h).Grants; len(g) != 0 {
		t.Errorf("a client without labels holds %q", g)
	}
	c := b.store.clients[testClient]
	c.Grants = audience.Grants{"custom/a", "core/C1"}
	b.store.clients[testClient] = c
	if g := b.accepted(h).Grants; len(g) != 0 {
		t.Errorf("nothing is kept: %q", g)
	}
	b.issuer.ClearGrants()
	if g := b.accepted(h).Grants; !g.Covers([]string{"core/C1", "custom/a"}) {
		t.Errorf("after the change: %q", g)
	}
	delete(b.store.clients, testClient)
	b.issuer.ClearGrants()
	b.refused(h, audience.BadToken)
}

func TestOldSecrets(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.store.clients[testClient]
	fresh, hash := b.issuer.NewSecret()
	c.SecretHash, c.OldSecrets = hash, []audience.OldSecret{{Hash: HashSecret("older"), ValidUntil: b.now}, {Hash: HashSecret(secret), ValidUntil: b.now.Add(time.Hour)}}
	b.store.clients[testClient] = c
	for text, want := range map[string]error{fresh: nil, secret: nil, "older": ErrInvalidClient, "": ErrInvalidClient} {
		if _, _, err := b.issuer.Token(t.Context(), "192.0.2.1:1", testClient, text); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
	b.now = b.now.Add(time.Hour)
	if _, _, err := b.issuer.Token(t.Context(), "192.0.2.1:1", testClient, secret); !errors.Is(err, ErrInvalidClient) {
		t.Errorf("an old secret whose time is over: %v", err)
	}
}

// TestTokenEndsWithItsSecret replaces the secret that a token was issued for, with and without an overlap.
func TestTokenEndsWithItsSecret(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := b.headers(b.token)
	b.accepted(h)
	c := b.store.clients[testClient]
	fresh, hash := b.issuer.NewSecret()
	c.SecretHash, c.OldSecrets = hash, []audience.OldSecret{{Hash: HashSecret(secret), ValidUntil: b.now.Add(time.Hour)}}
	b.store.clients[testClient] = c
	b.issuer.ClearGrants()
	b.accepted(h)
	token, life, err := b.issuer.Token(t.Context(), "192.0.2.1:1", testClient, secret)
	if err != nil || life > time.Hour {
		t.Errorf("a token of a secret that has an hour left lives %s, %v", life, err)
	}
	b.accepted(b.headers(token))
	newer, life, err := b.issuer.Token(t.Context(), "192.0.2.1:1", testClient, fresh)
	if err != nil || life != tokenLife-time.Second {
		t.Errorf("a token of the new secret lives %s, %v", life, err)
	}
	b.accepted(b.headers(newer))

	c.OldSecrets = nil
	b.store.clients[testClient] = c
	b.issuer.ClearGrants()
	b.refused(h, audience.BadToken)
	b.refused(b.headers(token), audience.BadToken)
	b.accepted(b.headers(newer))
}

// TestTokenEndsWithTheOverlap lets the time of a replaced secret pass.
func TestTokenEndsWithTheOverlap(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.store.clients[testClient]
	_, c.SecretHash = b.issuer.NewSecret()
	c.OldSecrets = []audience.OldSecret{{Hash: HashSecret(secret), ValidUntil: b.now.Add(time.Hour)}}
	b.store.clients[testClient] = c
	b.accepted(b.headers(b.token))
	b.now = b.now.Add(time.Hour)
	b.refused(b.headers(b.token), audience.BadToken)
}
