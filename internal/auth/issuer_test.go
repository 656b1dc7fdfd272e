package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"roster/internal/audience"
	"roster/internal/meta"
)

const (
	testClient = "8f3b8f0e-5b9c-4a57-9b53-6f6e2f2a7e11"
	testOrg    = "0123456789ABCDEF@RosterOrg"
)

// tenants is a store that tests change.
type tenants struct {
	mu        sync.Mutex
	clients   map[string]audience.Client
	sandboxes map[audience.Scope]bool
	reads     int
	state     audience.SandboxState // of every sandbox
	err       error
}

func (s *tenants) Client(_ context.Context, id string) (audience.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	if c, ok := s.clients[id]; ok || s.err != nil {
		return c, s.err
	}
	return audience.Client{}, meta.ErrNotFound
}

func (s *tenants) Sandbox(_ context.Context, scope audience.Scope) (audience.Sandbox, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	if s.sandboxes[scope] || s.err != nil {
		return audience.Sandbox{Name: scope.Sandbox, State: s.state}, s.err
	}
	return audience.Sandbox{}, meta.ErrNotFound
}

func (s *tenants) Sandboxes(_ context.Context, org string) (list []audience.Sandbox, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for scope := range s.sandboxes {
		if scope.Org == org {
			list = append(list, audience.Sandbox{Name: scope.Sandbox, State: s.state})
		}
	}
	slices.SortFunc(list, func(a, b audience.Sandbox) int { return strings.Compare(a.Name, b.Name) })
	return list, s.err
}

type bundle struct {
	t       *testing.T
	issuer  *Issuer
	store   *tenants
	keyFile string
	now     time.Time
	token   string
}

const secret = "xyzzy"

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{t: t, keyFile: filepath.Join(t.TempDir(), "token.jwk"), now: time.Unix(1749624273, 123456789)}
	b.store = &tenants{
		clients: map[string]audience.Client{testClient: {ID: testClient, Org: testOrg, SecretHash: HashSecret(secret),
			Roles: map[string]audience.ClientRole{"prod": audience.Editor, "quiet": ""}}},
		sandboxes: map[audience.Scope]bool{{Org: testOrg, Sandbox: "prod"}: true, {Org: testOrg, Sandbox: "dev"}: true, {Org: testOrg, Sandbox: "quiet"}: true},
	}
	b.issuer = b.open()
	var expiresIn time.Duration
	var err error
	b.token, expiresIn, err = b.issuer.Token(t.Context(), "192.0.2.1:1", testClient, secret)
	if err != nil || expiresIn != 86399*time.Second {
		t.Fatal(expiresIn, err)
	}
	return b
}

func (b *bundle) open() *Issuer {
	b.t.Helper()
	i, err := NewIssuer(b.keyFile, b.store, func() time.Time { return b.now })
	if err != nil {
		b.t.Fatal(err)
	}
	return i
}

func (b *bundle) headers(token string) Headers {
	return Headers{Authorization: "Bearer " + token, APIKey: testClient, Org: testOrg, Sandbox: "prod"}
}

// refused requires a refusal with the code.
func (b *bundle) refused(h Headers, code audience.Code) {
	b.t.Helper()
	actor, err := b.issuer.Authenticate(b.t.Context(), h)
	if err == nil || audience.CodeOf(err) != code || !reflect.DeepEqual(actor, audience.Actor{}) {
		b.t.Errorf("%+v: got %v and %v, want %s", h, actor, err, code)
	}
}

func (b *bundle) accepted(h Headers) audience.Actor {
	b.t.Helper()
	actor, err := b.issuer.Authenticate(b.t.Context(), h)
	if err != nil {
		b.t.Errorf("%+v: %v", h, err)
	}
	return actor
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want := audience.Actor{ClientID: testClient, Scope: audience.Scope{Org: testOrg, Sandbox: "prod"}, Role: audience.Editor}
	for _, scheme := range []string{"Bearer ", "bearer ", "BEARER  "} {
		h := b.headers(b.token)
		h.Authorization = scheme + b.token
		if got := b.accepted(h); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v", got)
		}
	}
	h := b.headers(b.token)
	h.Sandbox = "nowhere"
	b.refused(h, audience.Invalid)
	h.Sandbox = "dev"
	b.refused(h, audience.Forbidden)
	h.Sandbox = "quiet"
	b.refused(h, audience.Forbidden)
	h = b.headers(b.token)
	h.Org = "other"
	b.refused(h, audience.WrongOrg)
	h.APIKey = "other"
	b.refused(h, audience.Forbidden)
	h.Authorization = "Basic " + b.token
	b.refused(h, audience.BadToken)
	h.Authorization = " "
	b.refused(h, audience.MissingHeader)
}

func TestForgedTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	parts := strings.Split(b.token, ".")
	encode := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(data)
	}
	claims := map[string]any{"iss": "roster", "sub": testClient, "org": testOrg, "sec": secretID(HashSecret(secret)), "exp": b.now.Add(time.Hour).Unix()}
	_, otherKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := json.Marshal(b.issuer.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	sign := func(alg jose.SignatureAlgorithm, key, claims any) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType(tokenType))
		if err != nil {
			t.Fatal(err)
		}
		token, err := jwt.Signed(signer).Claims(claims).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	own := b.issuer.key.Key
	with := func(name string, value any) map[string]any {
		c := map[string]any{}
		for k, v := range claims {
			c[k] = v
		}
		c[name] = value
		return c
	}
	b.accepted(b.headers(sign(jose.EdDSA, own, claims)))
	for name, token := range map[string]string{
		"empty":                    "",
		"rubbish":                  "rubbish",
		"three dots":               "..",
		"no signature":             parts[0] + "." + parts[1] + ".",
		"another signature":        parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
		"other claims":             parts[0] + "." + encode(with("org", "other")) + "." + parts[2],
		"alg none":                 encode(map[string]string{"alg": "none", "typ": "JWT"}) + "." + encode(claims) + ".",
		"alg none, signed":         encode(map[string]string{"alg": "none"}) + "." + encode(claims) + "." + parts[2],
		"of no secret":             sign(jose.EdDSA, own, with("sec", "")),
		"another key":              sign(jose.EdDSA, otherKey, claims),
		"the public key as secret": sign(jose.HS256, public, claims),
		"another issuer":           sign(jose.EdDSA, own, with("iss", "other")),
		"no client":                sign(jose.EdDSA, own, with("sub", "")),
		"no end":                   sign(jose.EdDSA, own, map[string]any{"iss": "roster", "sub": testClient, "org": testOrg}),
		"over":                     sign(jose.EdDSA, own, with("exp", b.now.Unix())),
		"end is no number":         sign(jose.EdDSA, own, with("exp", "never")),
	} {
		t.Run(name, func(t *testing.T) {
			b := *b
			b.t = t
			b.refused(b.headers(token), audience.BadToken)
		})
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.accepted(b.headers(b.token))
	b.now = b.now.Add(86399 * time.Second)
	b.accepted(b.headers(b.token))
	b.now = b.now.Add(time.Second)
	b.refused(b.headers(b.token), audience.BadToken) // although it is among the verified ones
}

func TestTokenRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range [][2]string{{testClient, "wrong"}, {testClient, ""}, {"nobody", secret}, {"nobody", ""}, {"", ""}} {
		if _, _, err := b.issuer.Token(t.Context(), "192.0.2.1:1", c[0], c[1]); !errors.Is(err, ErrInvalidClient) {
			t.Errorf("%q: %v", c, err)
		}
	}
	b.store.err = errors.New("away")
	if _, _, err := b.issuer.Token(t.Context(), "192.0.2.1:1", testClient, secret); err == nil || errors.Is(err, ErrInvalidClient) {
		t.Errorf("the store is away: %v", err)
	}
	b.refused(b.headers(b.token), audience.Internal)
}

// TestChanges checks that what a client may do follows the store, and that the cache saves reads meanwhile.
func TestChanges(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := b.headers(b.token)
	b.accepted(h)
	before := b.store.reads
	for range 100 {
		b.accepted(h)
	}
	if b.store.reads != before {
		t.Errorf("%d reads", b.store.reads-before)
	}
	set := func(change func(c *audience.Client)) {
		c := b.store.clients[testClient]
		change(&c)
		b.store.clients[testClient] = c
		b.now = b.now.Add(grantLife)
	}
	set(func(c *audience.Client) {
		c.Roles = map[string]audience.ClientRole{"*": audience.Admin, "prod": audience.Viewer}
	})
	if role := b.accepted(h).Role; role != audience.Viewer {
		t.Errorf("role %s", role)
	}
	set(func(c *audience.Client) { c.Roles = map[string]audience.ClientRole{"*": audience.Admin} })
	if role := b.accepted(h).Role; role != audience.Admin {
		t.Errorf("role %s", role)
	}
	set(func(c *audience.Client) { c.Roles = nil })
	b.refused(h, audience.Forbidden)
	set(func(c *audience.Client) { c.Org = "other" })
	b.refused(h, audience.BadToken)
	delete(b.store.clients, testClient)
	b.refused(h, audience.BadToken)
	b.store.sandboxes = nil
	b.refused(h, audience.Invalid)
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info, err := os.Stat(b.keyFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info.Mode(), err)
	}
	b.issuer = b.open() // a restart
	b.accepted(b.headers(b.token))
	if entries, err := os.ReadDir(filepath.Dir(b.keyFile)); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	content, err := os.ReadFile(b.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(path string) error{
		"chmod": func(path string) error { return os.Chmod(path, 0o640) },
		"empty": func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"other": func(path string) error {
			return os.WriteFile(path, []byte(`{"kty": "oct", "k": "c2VjcmV0"}`), 0o600)
		},
		"public": func(path string) error {
			public, err := json.Marshal(b.issuer.key.Public())
			return errors.Join(err, os.WriteFile(path, public, 0o600))
		},
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := errors.Join(os.WriteFile(path, content, 0o600), change(path)); err != nil {
			t.Fatal(err)
		}
		if _, err := NewIssuer(path, b.store, time.Now); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewIssuer(filepath.Join(t.TempDir(), "absent", "key"), b.store, time.Now); err == nil {
		t.Error("a key in an absent directory")
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				token, _, err := b.issuer.Token(t.Context(), "192.0.2.1:1", testClient, secret)
				if err != nil {
					t.Error(err)
				}
				b.accepted(b.headers(token))
			}
		})
	}
	wg.Wait()
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	a, b := NewSecret(), NewSecret()
	if a == b || len(a) < 43 || string(HashSecret(a)) == string(HashSecret(b)) || len(HashSecret(a)) != 32 {
		t.Errorf("%q %q", a, b)
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	store := &tenants{clients: map[string]audience.Client{testClient: {ID: testClient, Org: testOrg, SecretHash: HashSecret(secret),
		Roles: map[string]audience.ClientRole{"*": audience.Admin}}}, sandboxes: map[audience.Scope]bool{{Org: testOrg, Sandbox: "prod"}: true}}
	i, err := NewIssuer(filepath.Join(b.TempDir(), "key"), store, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	token, _, err := i.Token(b.Context(), "192.0.2.1:1", testClient, secret)
	if err != nil {
		b.Fatal(err)
	}
	h := Headers{Authorization: "Bearer " + token, APIKey: testClient, Org: testOrg, Sandbox: "prod"}
	for b.Loop() {
		if _, err := i.Authenticate(b.Context(), h); err != nil {
			b.Fatal(err)
		}
	}
}

// TestSandboxesThatAreClosed lets nobody into a sandbox that is being reset or deleted, and says who administers all.
func TestSandboxesThatAreClosed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, state := range []audience.SandboxState{audience.SandboxResetting, audience.SandboxDeleting} {
		b.store.state = state
		b.refused(b.headers(b.token), audience.Invalid)
	}
	b.store.state = audience.SandboxActive
	if a := b.accepted(b.headers(b.token)); a.OrgRole != "" {
		t.Errorf("%+v", a)
	}
	b.now = b.now.Add(2 * grantLife)
	b.store.clients[testClient].Roles["*"] = audience.Admin
	if a := b.accepted(b.headers(b.token)); a.OrgRole != audience.Admin || a.Role != audience.Editor {
		t.Errorf("%+v", a)
	}
}

// TestTokensOfATimeToCome puts the clock back that a token was made by: by an hour it stays valid, by a year it does not last for
// a year.
func TestTokensOfATimeToCome(t *testing.T) {
	t.Parallel()
	for back, valid := range map[time.Duration]bool{time.Hour: true, 365 * 24 * time.Hour: false} {
		b := setup(t)
		if _, err := b.issuer.verify(b.token, b.headers(b.token)); err != nil { // and is in the cache
			t.Fatal(err)
		}
		b.now = b.now.Add(-back)
		if _, err := b.issuer.verify(b.token, b.headers(b.token)); (err == nil) != valid {
			t.Errorf("back by %v: %v", back, err)
		}
	}
}

// TestAuthenticateToken takes no more than the token: its organization counts, and sandboxes without a role are absent.
func TestAuthenticateToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want := audience.Actor{ClientID: testClient, Scope: audience.Scope{Org: testOrg, Sandbox: "prod"}, Role: audience.Editor}
	h := Headers{Authorization: "Bearer " + b.token, Sandbox: "prod"}
	if got, err := b.issuer.AuthenticateToken(t.Context(), h); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v %v", got, err)
	}
	if got, err := b.issuer.Actors(t.Context(), h); err != nil || !reflect.DeepEqual(got, []audience.Actor{want}) {
		t.Errorf("%+v %v", got, err)
	}
	h.Sandbox = "quiet"
	if _, err := b.issuer.AuthenticateToken(t.Context(), h); audience.CodeOf(err) != audience.Forbidden {
		t.Error(err)
	}
	for _, wrong := range []string{"", b.token, "Basic " + b.token, "Bearer x" + b.token} {
		h.Authorization = wrong
		_, err := b.issuer.AuthenticateToken(t.Context(), h)
		_, listErr := b.issuer.Actors(t.Context(), h)
		if audience.CodeOf(err) != audience.BadToken || audience.CodeOf(listErr) != audience.BadToken {
			t.Errorf("%q: %v, %v", wrong, err, listErr)
		}
	}
}
