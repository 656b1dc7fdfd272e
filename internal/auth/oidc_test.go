package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"roster/internal/audience"
)

// provider is an OpenID Connect issuer on this machine, with the keys that it publishes.
type provider struct {
	t       *testing.T
	server  *httptest.Server
	mu      sync.Mutex
	keys    jose.JSONWebKeySet
	away    bool
	fetched map[string]int // requests by path
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{t: t, fetched: map[string]int{}}
	p.server = httptest.NewServer(p)
	t.Cleanup(p.server.Close)
	return p
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetched[r.URL.Path]++
	var body any
	switch {
	case p.away:
		http.Error(w, "out to lunch", http.StatusServiceUnavailable)
		return
	case r.URL.Path == "/.well-known/openid-configuration":
		body = map[string]any{"issuer": p.server.URL, "jwks_uri": p.server.URL + "/keys", "authorization_endpoint": p.server.URL + "/a",
			"token_endpoint": p.server.URL + "/t", "id_token_signing_alg_values_supported": []string{"RS256", "ES256", "HS256", "none"}}
	case r.URL.Path == "/keys":
		body = p.keys
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(body); err != nil {
		p.t.Error(err)
	}
}

func (p *provider) is(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
}

func (p *provider) asked(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetched[path]
}

// key makes a key and publishes it, in place of the others.
func (p *provider) key(id string, key crypto.Signer, alg jose.SignatureAlgorithm) jose.SigningKey {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys.Keys = []jose.JSONWebKey{{Key: key.Public(), KeyID: id, Algorithm: string(alg), Use: "sig"}}
	return jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: id}}
}

func signed(t *testing.T, key jose.SigningKey, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

const (
	foreignClient  = "etl@example.com"
	testAudience   = "roster"
	longerThanKeys = keysFor + time.Second
)

// trusting is a server that trusts a provider, with one of its keys and the claims of a good token.
func trusting(t *testing.T, change func(o *OIDC)) (*bundle, *provider, jose.SigningKey, map[string]any) {
	t.Helper()
	b, p := setup(t), newProvider(t)
	o := OIDC{Issuer: p.server.URL, Audience: testAudience}
	if change != nil {
		change(&o)
	}
	if err := b.issuer.Trust(o); err != nil {
		t.Fatal(err)
	}
	return b, p, p.key("one", newRSA(t), jose.RS256), map[string]any{"iss": p.server.URL, "aud": testAudience, "sub": foreignClient, "org": testOrg,
		"exp": b.now.Add(time.Hour).Unix(), "iat": b.now.Unix(), "roles": []string{"prod:editor", "dev:viewer", "cook"}, "labels": []string{"custom/a"}}
}

func newRSA(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// of are headers with the token of another issuer.
func (b *bundle) of(token string) Headers {
	h := b.headers(token)
	h.APIKey = foreignClient
	return h
}

func but(claims map[string]any, name string, value any) map[string]any {
	c := maps.Clone(claims)
	if c[name] = value; value == nil {
		delete(c, name)
	}
	return c
}

func TestOIDC(t *testing.T) {
	t.Parallel()
	b, p, key, claims := trusting(t, nil)
	token := signed(t, key, claims)
	want := audience.Actor{ClientID: foreignClient, Scope: audience.Scope{Org: testOrg, Sandbox: "prod"}, Role: audience.Editor, Grants: audience.Grants{"custom/a"}}
	for range 3 {
		if got := b.accepted(b.of(token)); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v", got)
		}
	}
	if n := p.asked("/keys"); n != 1 {
		t.Errorf("the keys were read %d times", n)
	}
	b.accepted(b.headers(b.token)) // the server's own go on

	// Another token of the same client says what it may do now; the older one says what it said.
	admin := signed(t, key, but(but(claims, "roles", "admin"), "labels", "*"))
	want.Role, want.OrgRole, want.Grants = audience.Admin, audience.Admin, audience.Grants{audience.AllLabels}
	if got := b.accepted(b.of(admin)); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if got := b.accepted(b.of(token)); got.Role != audience.Editor {
		t.Errorf("%+v", got)
	}
	h := b.of(token)
	h.Sandbox = "dev"
	if got := b.accepted(h); got.Role != audience.Viewer {
		t.Errorf("%+v", got)
	}
	h.Sandbox = "quiet" // no role there
	b.refused(h, audience.Forbidden)
	h.Sandbox = "nowhere"
	b.refused(h, audience.Invalid)
	h = b.of(token)
	h.APIKey = testClient
	b.refused(h, audience.Forbidden)
	h = b.of(token)
	h.Org = "other"
	b.refused(h, audience.WrongOrg)
	b.now = b.now.Add(time.Hour)
	b.refused(b.of(token), audience.BadToken)
}

func TestOIDCTokensRefused(t *testing.T) {
	t.Parallel()
	b, _, key, claims := trusting(t, nil)
	b.accepted(b.of(signed(t, key, claims)))
	encode := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(data)
	}
	private := key.Key.(jose.JSONWebKey)
	public, err := json.Marshal(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	good := strings.Split(signed(t, key, claims), ".")
	for name, c := range map[string]struct {
		token string
		code  audience.Code
	}{
		"for another audience":     {signed(t, key, but(claims, "aud", "other")), audience.BadToken},
		"for nobody":               {signed(t, key, but(claims, "aud", nil)), audience.BadToken},
		"of another issuer":        {signed(t, key, but(claims, "iss", "https://elsewhere.example")), audience.BadToken},
		"of this server, it says":  {signed(t, key, but(claims, "iss", "roster")), audience.BadToken},
		"over":                     {signed(t, key, but(claims, "exp", b.now.Unix()-1)), audience.BadToken},
		"without end":              {signed(t, key, but(claims, "exp", nil)), audience.BadToken},
		"not yet":                  {signed(t, key, but(claims, "nbf", b.now.Add(time.Hour).Unix())), audience.BadToken},
		"another key of that name": {signed(t, jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: newRSA(t), KeyID: "one"}}, claims), audience.BadToken},
		"a key of no name":         {signed(t, jose.SigningKey{Algorithm: jose.RS256, Key: newRSA(t)}, claims), audience.BadToken},
		"the public key as secret": {signed(t, jose.SigningKey{Algorithm: jose.HS256, Key: public}, claims), audience.BadToken},
		"alg none":                 {encode(map[string]string{"alg": "none"}) + "." + encode(claims) + ".", audience.BadToken},
		"other claims":             {good[0] + "." + encode(but(claims, "roles", "admin")) + "." + good[2], audience.BadToken},
		"no client":                {signed(t, key, but(claims, "sub", nil)), audience.Forbidden},
		"a client that is a list":  {signed(t, key, but(claims, "sub", []string{foreignClient})), audience.BadToken},
		"no organization":          {signed(t, key, but(claims, "org", nil)), audience.Forbidden},
		"two organizations":        {signed(t, key, but(claims, "org", []string{testOrg, "other"})), audience.Forbidden},
		"no roles":                 {signed(t, key, but(claims, "roles", nil)), audience.Forbidden},
		"no role of this server":   {signed(t, key, but(claims, "roles", []any{"cook", "prod:cook", ":admin", "prod:", 7})), audience.Forbidden},
	} {
		t.Run(name, func(t *testing.T) {
			b := *b
			b.t = t
			b.refused(b.of(c.token), c.code)
		})
	}
}

// TestOIDCClaims checks claims with other names, inside of others, and roles of other servers among them.
func TestOIDCClaims(t *testing.T) {
	t.Parallel()
	b, _, key, claims := trusting(t, func(o *OIDC) {
		o.ClientClaim, o.OrgClaim, o.RolesClaim, o.LabelsClaim, o.RolePrefix = "azp", "https://roster.example/org", "realm.access.roles", "scope", "roster-"
	})
	claims = map[string]any{"iss": claims["iss"], "aud": []string{"other", testAudience}, "exp": claims["exp"], "azp": foreignClient,
		"https://roster.example/org": testOrg, "scope": "custom/a custom/b",
		"realm": map[string]any{"access": map[string]any{"roles": []any{"admin", "roster-viewer", "roster-prod:admin", "roster-prod:viewer"}}}}
	got := b.accepted(b.of(signed(t, key, claims)))
	want := audience.Actor{ClientID: foreignClient, Scope: audience.Scope{Org: testOrg, Sandbox: "prod"}, Role: audience.Admin, OrgRole: audience.Viewer,
		Grants: audience.Grants{"custom/a", "custom/b"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

// TestOIDCRotation checks that new keys of an issuer work without a restart, and that tokens that name keys which it has
// not do not make the server ask for them each time.
func TestOIDCRotation(t *testing.T) {
	t.Parallel()
	b, p, key, claims := trusting(t, nil)
	b.accepted(b.of(signed(t, key, claims)))
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rotated := p.key("two", private, jose.ES256)
	b.now = b.now.Add(longerThanKeys)
	b.accepted(b.of(signed(t, rotated, claims)))
	if n := p.asked("/keys"); n != 2 {
		t.Errorf("the keys were read %d times", n)
	}
	forged := newRSA(t)
	b.now = b.now.Add(longerThanKeys)
	for n := range 20 {
		b.refused(b.of(signed(t, jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: forged, KeyID: fmt.Sprint("forged", n)}}, claims)), audience.BadToken)
	}
	if n := p.asked("/keys"); n != 3 {
		t.Errorf("after 20 forged tokens the keys were read %d times", n)
	}
}

// TestOIDCAway checks that an issuer that is away is told apart from a bad token, holds up nobody else, and works when it
// is back.
func TestOIDCAway(t *testing.T) {
	t.Parallel()
	b, p, key, claims := trusting(t, nil)
	token := signed(t, key, claims)
	p.is(true)
	for range 5 {
		b.refused(b.of(token), audience.BadGateway)
		b.accepted(b.headers(b.token))
	}
	if n := p.asked("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("an issuer that is away was asked %d times", n)
	}
	p.is(false)
	b.now = b.now.Add(rediscover)
	b.accepted(b.of(token))

	// Its keys cannot be read when a new one is needed.
	rotated := p.key("two", newRSA(t), jose.RS256)
	p.is(true)
	b.now = b.now.Add(longerThanKeys)
	b.refused(b.of(signed(t, rotated, claims)), audience.BadGateway)
	b.accepted(b.of(token))
	b.accepted(b.of(signed(t, key, but(claims, "jti", "another of the key that is known"))))
	p.is(false)
	b.accepted(b.of(signed(t, rotated, claims)))
}

func TestTrustRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, o := range []OIDC{
		{Issuer: "https://id.example.com"},
		{Issuer: "http://id.example.com", Audience: testAudience},
		{Issuer: "id.example.com", Audience: testAudience},
		{Issuer: "https://", Audience: testAudience},
		{Issuer: "file:///etc/passwd", Audience: testAudience},
		{Issuer: "https://id.example.com\n", Audience: testAudience},
	} {
		if err := b.issuer.Trust(o); err == nil {
			t.Errorf("%+v is trusted", o)
		}
	}
	b.refused(b.headers("not.a.token"), audience.BadToken)
}

// TestOIDCNamesake has an issuer name its client as an API client is named: what is recorded of one is never the other's.
func TestOIDCNamesake(t *testing.T) {
	t.Parallel()
	b, _, key, claims := trusting(t, nil)
	h := b.headers(signed(t, key, but(claims, "sub", testClient)))
	b.refused(h, audience.Forbidden)
	b.accepted(b.headers(b.token))
	delete(b.store.clients, testClient)
	b.accepted(h)
}

// TestOIDCNames has an issuer name its client as the server names itself, or so that it looks like somebody else.
func TestOIDCNames(t *testing.T) {
	t.Parallel()
	b, _, key, claims := trusting(t, nil)
	for _, name := range []string{"roster", "Roster", "ROSTER", " roster", "roster ", "roster\u200b", "ro\u00adster", "\ufeffroster", "roster\n", "roster\x00",
		"\uff52\uff4f\uff53\uff54\uff45\uff52", "r\u043ester", "ro\u017fter", "a  b", "e\u0301mil", "a\u00a0b", strings.Repeat("x", 256), strings.ToUpper(testClient), "{" + testClient + "}", "urn:uuid:" + testClient} {
		h := b.of(signed(t, key, but(claims, "sub", name)))
		h.APIKey = name
		b.refused(h, audience.Forbidden)
	}
	for _, name := range []string{"roster-etl", "my roster", "émil", "Ростер", "auth0|5f7c8ec7c33c6c004bbafe82", "spiffe://example.com/etl", strings.ToUpper(absentClient)} {
		h := b.of(signed(t, key, but(claims, "sub", name)))
		h.APIKey = name
		b.accepted(h)
	}
}

const absentClient = "0a3b8f0e-5b9c-4a57-9b53-6f6e2f2a7e11"
