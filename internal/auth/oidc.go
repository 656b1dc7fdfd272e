package auth

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"roster/internal/audience"
)

// OIDC configures an additional issuer of tokens, which must support OpenID Connect Discovery. The operator names the
// claims with the organization, the caller and the rights; a dot separates the names of nested claims.
type OIDC struct {
	Issuer      string // its URL, as in the claim iss; https, or http on this machine
	Audience    string // required value in the claim aud
	ClientClaim string // claim with the id of the caller; x-api-key must be the same; "" is DefaultClientClaim
	OrgClaim    string // claim with the organization, as in x-gw-ims-org-id; "" is DefaultOrgClaim
	RolesClaim  string // claim with a role or a list: "editor" for every sandbox, "prod:editor" for one; "" is DefaultRolesClaim
	LabelsClaim string // claim with a label or a list, "*" for all labels; "" is DefaultLabelsClaim
	RolePrefix  string // prefix of the roles for this server; other roles are ignored
}

// Default names of claims.
const (
	DefaultClientClaim = "sub"
	DefaultOrgClaim    = "org"
	DefaultRolesClaim  = "roles"
	DefaultLabelsClaim = "labels"
)

// The accepted signature algorithms. Algorithms with a shared secret are not accepted, because every verifier could
// sign.
var (
	asymmetric = []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256, jose.ES384, jose.ES512, jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}
	algorithms = func() (names []string) {
		for _, a := range asymmetric {
			names = append(names, string(a))
		}
		return names
	}()
)

const (
	// discoverWithin is the timeout of a request to an issuer, rediscover the pause after a failed one.
	discoverWithin = 10 * time.Second
	rediscover     = 5 * time.Second
	// keysFor is how long an answer with an issuer's keys is cached, whatever keys tokens name.
	keysFor = 5 * time.Second
	// maxAnswer is the longest answer of an issuer, in bytes.
	maxAnswer = 1 << 20
)

// outsider is a client as described by a token of an OIDC issuer.
type outsider struct {
	roles  map[string]audience.ClientRole
	labels audience.Grants
	token  string // distinguishes the tokens of one client
}

// foreign verifies tokens of an OIDC issuer.
type foreign struct {
	OIDC
	clock  func() time.Time
	client *http.Client

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier // nil before discovery has succeeded
	failed   time.Time             // time of the last failed discovery
}

// Trust accepts tokens of an OIDC issuer in addition to the server's own. Discovery happens with the first such token.
// Trust must be called before the first authentication.
func (i *Issuer) Trust(o OIDC) error {
	u, err := url.Parse(o.Issuer)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return fmt.Errorf("the issuer %q is not an https:// address, or an http:// one of this machine", o.Issuer)
	}
	if o.Audience == "" {
		return errors.New("the required audience of the issuer's tokens is missing")
	}
	o.ClientClaim, o.OrgClaim = cmp.Or(o.ClientClaim, DefaultClientClaim), cmp.Or(o.OrgClaim, DefaultOrgClaim)
	o.RolesClaim, o.LabelsClaim = cmp.Or(o.RolesClaim, DefaultRolesClaim), cmp.Or(o.LabelsClaim, DefaultLabelsClaim)
	i.foreign = &foreign{OIDC: o, clock: i.clock, client: &http.Client{Timeout: discoverWithin, Transport: &keeping{clock: i.clock, answers: map[string]kept{}}}}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// issued reports whether a token names this issuer.
func (f *foreign) issued(token string) bool {
	if f == nil {
		return false
	}
	parsed, err := jwt.ParseSigned(token, asymmetric)
	if err != nil {
		return false
	}
	var c jwt.Claims
	return parsed.UnsafeClaimsWithoutVerification(&c) == nil && c.Issuer == f.Issuer
}

// verify verifies a token of the issuer and returns its claims.
func (f *foreign) verify(token string) (c claims, err error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(context.Background(), f.client), discoverWithin)
	defer cancel()
	verifier, err := f.find(ctx)
	if err != nil {
		return c, audience.Errorf(audience.BadGateway, "the issuer of the token cannot be reached at the moment: its configuration could not be read; try again")
	}
	verified, err := verifier.Verify(ctx, token)
	var expired *oidc.TokenExpiredError
	switch {
	case errors.As(err, &expired):
		return c, audience.Errorf(audience.BadToken, "the token has expired; get a new one from its issuer")
	case err != nil && strings.Contains(err.Error(), "fetching keys"):
		return c, audience.Errorf(audience.BadGateway, "the issuer of the token cannot be reached at the moment: its keys could not be read; try again")
	case err != nil:
		return c, audience.Errorf(audience.BadToken, "the token is not valid for this server: its signature, its audience or its times are wrong")
	}
	var said map[string]any
	if err := verified.Claims(&said); err != nil {
		return c, audience.Errorf(audience.BadToken, "the claims of the token cannot be read")
	}
	c.Issuer, c.Expiry = f.Issuer, jwt.NewNumericDate(verified.Expiry)
	c.Subject, _ = claimOf(said, f.ClientClaim).(string)
	c.Org, _ = claimOf(said, f.OrgClaim).(string)
	for _, needed := range []struct{ value, claim string }{{c.Subject, f.ClientClaim}, {c.Org, f.OrgClaim}} {
		if needed.value == "" {
			return c, audience.Errorf(audience.Forbidden, "the token has no claim %q with a text", needed.claim)
		}
	}
	if problem := nameProblem(c.Subject); problem != "" {
		return c, audience.Errorf(audience.Forbidden, "the claim %q of the token %s; its issuer must give the client another id", f.ClientClaim, problem)
	}
	sum := sha256.Sum256([]byte(token))
	c.outside = &outsider{roles: f.roles(texts(claimOf(said, f.RolesClaim))), labels: audience.NewGrants(texts(claimOf(said, f.LabelsClaim))), token: hex.EncodeToString(sum[:])}
	return c, nil
}

// find returns the verifier of the issuer, after discovery if necessary. It does not repeat a discovery that failed
// less than rediscover ago.
func (f *foreign) find(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock()
	if f.verifier != nil {
		return f.verifier, nil
	}
	if since := now.Sub(f.failed); since >= 0 && since < rediscover {
		return nil, errors.New("the last attempt to reach the issuer failed; it is repeated after a short pause")
	}
	provider, err := oidc.NewProvider(ctx, f.Issuer)
	if err != nil {
		f.failed = now
		return nil, err
	}
	f.verifier = provider.VerifierContext(oidc.ClientContext(context.Background(), f.client),
		&oidc.Config{ClientID: f.Audience, SupportedSigningAlgs: algorithms, Now: f.clock})
	return f.verifier, nil
}

// roles parses roles by sandbox. Unknown roles are ignored; of two roles for one sandbox the greater one applies.
func (f *foreign) roles(list []string) map[string]audience.ClientRole {
	roles := map[string]audience.ClientRole{}
	for _, text := range list {
		text, ok := strings.CutPrefix(text, f.RolePrefix)
		if !ok {
			continue
		}
		sandbox, role, found := strings.Cut(text, ":")
		if !found {
			sandbox, role = audience.AnySandbox, text
		}
		had, may := audience.Actor{Role: roles[sandbox]}, audience.ClientRole(role)
		if may == audience.Viewer || may == audience.Editor || may == audience.Admin {
			if !had.May(may) {
				roles[sandbox] = may
			}
		}
	}
	return roles
}

// claimOf returns a claim by its name, or a nested claim by its path with dots.
func claimOf(said map[string]any, name string) any {
	if v, ok := said[name]; ok {
		return v
	}
	outer, inner, found := strings.Cut(name, ".")
	if within, ok := said[outer].(map[string]any); ok && found {
		return claimOf(within, inner)
	}
	return nil
}

// texts decodes a claim that is a string or a list of strings.
func texts(claim any) (list []string) {
	switch v := claim.(type) {
	case string:
		return strings.Fields(v)
	case []any:
		for _, e := range v {
			if text, ok := e.(string); ok {
				list = append(list, text)
			}
		}
	}
	return list
}

// keeping caches the answers of an issuer for keysFor, so that tokens with unknown key ids do not make the server
// request the keys repeatedly.
type keeping struct {
	clock   func() time.Time
	mu      sync.Mutex
	answers map[string]kept
}

type kept struct {
	at     time.Time
	header http.Header
	body   []byte
}

// RoundTrip implements http.RoundTripper.
func (k *keeping) RoundTrip(r *http.Request) (*http.Response, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, address := k.clock(), r.URL.String()
	if a, ok := k.answers[address]; ok && !now.Before(a.at) && now.Sub(a.at) < keysFor {
		return a.response(r), nil
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	a := kept{at: now, header: resp.Header, body: body}
	k.answers[address] = a
	return a.response(r), nil
}

func (a kept) response(r *http.Request) *http.Response {
	return &http.Response{Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: a.header,
		Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: r}
}
