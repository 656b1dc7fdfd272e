// Package auth turns credentials into actors. It issues the tokens of API clients and authenticates their calls.
package auth

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/cache"
	"roster/internal/meta"
)

// Store is the part of meta.Store that the issuer reads. An absent client or sandbox is meta.ErrNotFound.
type Store interface {
	Client(ctx context.Context, id string) (audience.Client, error)
	Sandbox(ctx context.Context, scope audience.Scope) (audience.Sandbox, error)
	Sandboxes(ctx context.Context, org string) ([]audience.Sandbox, error)
}

// ErrInvalidClient says that a client id or its secret is wrong, but not which of the two.
var ErrInvalidClient = errors.New("auth: unknown client or wrong secret")

const (
	issuerName = "roster"
	algorithm  = jose.EdDSA
	// tokenLife is how long a token is accepted. Clients see a second less, because the times in a token are whole
	// seconds.
	tokenLife = 24 * time.Hour
	// grantLife is the longest delay until a change of a client or of a sandbox by another process takes effect.
	grantLife = time.Second
	// cacheSize is the number of entries of each cache.
	cacheSize = 10_000
)

// Issuer issues tokens and authenticates calls. It is safe for concurrent use.
type Issuer struct {
	store        Store
	clock        func() time.Time
	key          jose.JSONWebKey
	tokens       jose.Signer
	receipts     jose.Signer
	certificates jose.Signer
	foreign      *foreign // another issuer, nil for none
	verified     *cache.Cache[[sha256.Size]byte, claims]
	grants       *cache.Timed[grantKey, audience.Actor]
	// Rate limits for wrong secrets and wrong tokens.
	secretsTried, tokensTried *AttemptLimiter
}

// NewIssuer opens the signing key in keyFile. If the file is absent, NewIssuer creates it with mode 0600.
func NewIssuer(keyFile string, store Store, clock func() time.Time) (*Issuer, error) {
	key, err := openKey(keyFile)
	if err != nil {
		return nil, err
	}
	tokens, err := newSigner(key, tokenType)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyFile, err)
	}
	receipts, err := newSigner(key, ReceiptType)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyFile, err)
	}
	certificates, err := newSigner(key, CertificateType)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyFile, err)
	}
	return &Issuer{store: store, clock: clock, key: key, tokens: tokens, receipts: receipts, certificates: certificates,
		verified: cache.New[[sha256.Size]byte, claims](cacheSize), grants: cache.NewTimed[grantKey, audience.Actor](cacheSize, grantLife, clock),
		secretsTried: NewAttemptLimiter(clock), tokensTried: newAttemptLimiter(clock, ofTokens)}, nil
}

// claims is the content of a token.
type claims struct {
	jwt.Claims
	Org     string    `json:"org"`
	Secret  string    `json:"sec"` // secretID of the client's secret that the token was issued for
	outside *outsider // of a token of another issuer
}

// Token issues a token for a client with its secret, and returns the token's lifetime, which never exceeds that of the
// secret. remote is the client's address in the form of http.Request.RemoteAddr. Errors: ErrInvalidClient if the client
// is unknown or the secret is wrong, a TooMany error after too many wrong secrets from the address.
func (i *Issuer) Token(ctx context.Context, remote, clientID, clientSecret string) (token string, expiresIn time.Duration, err error) {
	if err := i.secretsTried.Check(remote, clientID); err != nil {
		return "", 0, err
	}
	client, err := i.store.Client(ctx, clientID)
	if err != nil && !errors.Is(err, meta.ErrNotFound) {
		return "", 0, err
	}
	now := i.clock()
	until, ok := knows(client, clientSecret, now)
	if !ok {
		return "", 0, cmp.Or(i.secretsTried.Wrong(remote, clientID), ErrInvalidClient)
	}
	i.secretsTried.Right(remote, clientID)
	now = now.Truncate(time.Second)
	expiry := now.Add(tokenLife)
	if !until.IsZero() && until.Before(expiry) {
		expiry = until.Truncate(time.Second)
	}
	token, err = jwt.Signed(i.tokens).Claims(claims{
		Claims: jwt.Claims{Issuer: issuerName, Subject: client.ID, ID: uuid.NewString(),
			IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(expiry)},
		Org: client.Org, Secret: secretID(HashSecret(clientSecret)),
	}).Serialize()
	return token, max(0, expiry.Sub(now)-time.Second), err
}

// knows reports whether a secret is the client's current one, or an old one that is still valid; until is the end of
// its validity, zero for no end. An unknown client has an empty hash, which no secret matches.
func knows(c audience.Client, secret string, now time.Time) (until time.Time, known bool) {
	hash := HashSecret(secret)
	known = subtle.ConstantTimeCompare(hash, c.SecretHash) == 1
	for _, old := range c.OldSecrets {
		if now.Before(old.ValidUntil) && subtle.ConstantTimeCompare(hash, old.Hash) == 1 && !known {
			until, known = old.ValidUntil, true
		}
	}
	return until, known
}

// secretID identifies a secret in tokens, derived from the secret's hash. It reveals neither the secret nor the hash.
func secretID(hash []byte) string {
	sum := sha256.Sum256(append([]byte("token of "), hash...))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// has reports whether the client still has the secret with this secretID.
func has(c audience.Client, id string, now time.Time) bool {
	return id == secretID(c.SecretHash) || slices.ContainsFunc(c.OldSecrets, func(old audience.OldSecret) bool {
		return now.Before(old.ValidUntil) && id == secretID(old.Hash)
	})
}

// verify returns the content of an unexpired token that this issuer signed. After too many wrong tokens from an
// address, only tokens in the cache are accepted from there.
func (i *Issuer) verify(token string, h Headers) (claims, error) {
	now := i.clock()
	var buf [1 << 10]byte // large enough for most tokens, so that the key stays on the stack
	id := sha256.Sum256(append(buf[:0], token...))
	c, ok := i.verified.Get(id)
	if !ok {
		err := i.tokensTried.Check(h.Remote, h.APIKey)
		if err != nil {
			return c, err
		}
		if c, err = i.checked(token); audience.CodeOf(err) == audience.BadToken {
			return c, cmp.Or(i.tokensTried.Wrong(h.Remote, h.APIKey), err)
		} else if err != nil {
			return c, err
		}
	}
	if !now.Before(c.Expiry.Time()) {
		return c, audience.Errorf(audience.BadToken, "the token has expired; get a new one from its issuer, which is /ims/token/v3 for tokens of this server")
	}
	if c.Issuer == issuerName && c.Expiry.Time().After(now.Add(2*tokenLife)) {
		return c, audience.Errorf(audience.BadToken, "the token was issued in the future, because the server's clock was ahead; get a new one at /ims/token/v3")
	}
	if !ok {
		i.verified.Put(id, c, 1)
	}
	return c, nil
}

// checked returns the content of a token after it has verified signature and issuer.
func (i *Issuer) checked(token string) (c claims, err error) {
	if i.foreign.issued(token) {
		return i.foreign.verify(token)
	}
	// Only one algorithm is accepted: a token with "none" or any other does not parse.
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{algorithm})
	if err != nil {
		return c, audience.Errorf(audience.BadToken, "the token is not a token of this server; get one at /ims/token/v3")
	}
	if typ, _ := parsed.Headers[0].ExtraHeaders[jose.HeaderType].(string); typ != tokenType {
		return c, audience.Errorf(audience.BadToken, "the request contains no valid token; get one at /ims/token/v3")
	}
	if err := parsed.Claims(i.key.Public().Key, &c); err != nil || c.Issuer != issuerName || c.Expiry == nil || c.Subject == "" {
		return c, audience.Errorf(audience.BadToken, "the token was not issued by this server; get one at /ims/token/v3")
	}
	return c, nil
}

// HashSecret returns the stored form of a client's secret. NewSecret makes secrets from 256 random bits, which cannot
// be found by brute force, so a plain SHA-256 protects them as well as a slow hash.
func HashSecret(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// PageKey is the key that seals page tokens. It is derived from the signing key, has the same lifetime, and does not
// reveal it.
func (i *Issuer) PageKey() []byte {
	key, err := hkdf.Key(sha256.New, i.key.Key.(ed25519.PrivateKey).Seed(), nil, "roster page tokens", 32)
	if err != nil {
		panic(err) // only for wrong lengths
	}
	return key
}

// NewSecret makes a client secret, and its hash.
func (i *Issuer) NewSecret() (secret string, hash []byte) {
	secret = NewSecret()
	return secret, HashSecret(secret)
}

// NewSecret makes a client secret of 256 random bits.
func NewSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
