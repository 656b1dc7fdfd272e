package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/meta"
)

// Headers are the four headers of every call, and the address of the client.
type Headers struct {
	Authorization string
	APIKey        string // x-api-key
	Org           string // x-gw-ims-org-id
	Sandbox       string // x-sandbox-name
	Remote        string // the address of the client, as in http.Request.RemoteAddr; not a header
}

// Authenticate returns the caller that the headers prove, or an *audience.Error with the contract's code. It
// checks the headers' presence, then the token, the client, the organization and the sandbox, in this order.
func (i *Issuer) Authenticate(ctx context.Context, h Headers) (audience.Actor, error) {
	if err := h.missing(); err != nil {
		return audience.Actor{}, err
	}
	c, err := i.bearer(h)
	if err != nil {
		return audience.Actor{}, err
	}
	if h.APIKey != c.Subject {
		return audience.Actor{}, audience.Errorf(audience.Forbidden, "the header x-api-key must be the client id that the token was issued to")
	}
	if h.Org != c.Org {
		return audience.Actor{}, audience.Errorf(audience.WrongOrg, "the header x-gw-ims-org-id must be the organization that the token was issued for")
	}
	return i.actor(ctx, c, h.Sandbox)
}

// AuthenticateToken returns the caller that a token proves in a sandbox of the token's organization. Unlike Authenticate, it does not read
// the headers of the API key and of the organization. Its errors are those of Authenticate.
func (i *Issuer) AuthenticateToken(ctx context.Context, h Headers) (audience.Actor, error) {
	c, err := i.bearer(h)
	if err != nil {
		return audience.Actor{}, err
	}
	return i.actor(ctx, c, h.Sandbox)
}

// Actors returns the caller that a token proves in each sandbox where the caller has a role, ordered by the names of the sandboxes. Its
// errors are those of AuthenticateToken.
func (i *Issuer) Actors(ctx context.Context, h Headers) ([]audience.Actor, error) {
	c, err := i.bearer(h)
	if err != nil {
		return nil, err
	}
	sandboxes, err := i.store.Sandboxes(ctx, c.Org)
	if err != nil {
		return nil, fmt.Errorf("list the sandboxes: %w", err)
	}
	var actors []audience.Actor
	for _, sb := range sandboxes {
		switch a, err := i.actor(ctx, c, sb.Name); {
		case err == nil:
			actors = append(actors, a)
		case audience.CodeOf(err) != audience.Forbidden && audience.CodeOf(err) != audience.Invalid: // no role there; being reset or deleted
			return nil, err
		}
	}
	return actors, nil
}

// bearer verifies the token of a call.
func (i *Issuer) bearer(h Headers) (claims, error) {
	scheme, token, _ := strings.Cut(h.Authorization, " ")
	if !strings.EqualFold(scheme, "bearer") {
		return claims{}, audience.Errorf(audience.BadToken, `the header Authorization must be "Bearer" and a token`)
	}
	return i.verify(strings.TrimSpace(token), h)
}

// actor returns the holder of a verified token in a sandbox.
func (i *Issuer) actor(ctx context.Context, c claims, sandbox string) (audience.Actor, error) {
	key := grantKey{client: c.Subject, scope: audience.Scope{Org: c.Org, Sandbox: sandbox}, secret: c.Secret}
	if c.outside != nil {
		key.token = c.outside.token
	}
	return i.grant(ctx, key, c.outside)
}

// missing lists the absent headers.
func (h Headers) missing() error {
	var names []string
	var problems []audience.Problem
	for _, header := range []struct{ name, value string }{
		{"Authorization", h.Authorization}, {"x-api-key", h.APIKey}, {"x-gw-ims-org-id", h.Org}, {"x-sandbox-name", h.Sandbox},
	} {
		if strings.TrimSpace(header.value) == "" {
			names = append(names, header.name)
			problems = append(problems, audience.Problem{Path: header.name, Message: "the header is missing"})
		}
	}
	switch len(names) {
	case 0:
		return nil
	case 1:
		return &audience.Error{Code: audience.MissingHeader, Message: "the header " + names[0] + " is missing", Problems: problems}
	}
	return &audience.Error{Code: audience.MissingHeader, Message: "the headers " + strings.Join(names, ", ") + " are missing", Problems: problems}
}

// grantKey is a client in a sandbox.
type grantKey struct {
	client string
	scope  audience.Scope
	secret string // secretID of the secret that the token was issued for, if this server issued the token
	token  string // of another issuer, with the rights of the client in its claims
}

// grant returns the rights of a client in a sandbox. Only grants are cached, for grantLife. Refusals are not cached,
// so a new sandbox or role works at once.
func (i *Issuer) grant(ctx context.Context, key grantKey, out *outsider) (audience.Actor, error) {
	return i.grants.Get(ctx, key, func(ctx context.Context, key grantKey) (audience.Actor, error) { return i.findGrant(ctx, key, out) })
}

// findGrant looks up the rights of a client in a sandbox.
func (i *Issuer) findGrant(ctx context.Context, key grantKey, out *outsider) (audience.Actor, error) {
	sandbox, err := i.store.Sandbox(ctx, key.scope)
	if errors.Is(err, meta.ErrNotFound) {
		return audience.Actor{}, &audience.Error{Code: audience.Invalid, Message: fmt.Sprintf("there is no sandbox %.100q in the organization", key.scope.Sandbox),
			Problems: []audience.Problem{{Path: "x-sandbox-name", Message: fmt.Sprintf("there is no sandbox %.100q", key.scope.Sandbox)}}}
	}
	if err != nil {
		return audience.Actor{}, fmt.Errorf("look up the sandbox: %w", err)
	}
	if sandbox.State.Leaving() {
		text := fmt.Sprintf("the sandbox %.100q is %s and cannot be used", key.scope.Sandbox, sandbox.State)
		return audience.Actor{}, &audience.Error{Code: audience.Invalid, Message: text, Problems: []audience.Problem{{Path: "x-sandbox-name", Message: text}}}
	}
	client, err := i.client(ctx, key, out)
	if errors.Is(err, meta.ErrNotFound) || err == nil && client.Org != key.scope.Org {
		return audience.Actor{}, audience.Errorf(audience.BadToken, "the client that the token was issued to does not exist any more")
	}
	if errors.Is(err, errNamesake) {
		return audience.Actor{}, audience.Errorf(audience.Forbidden, "the client id in the token is also the id of an API client of this server; the issuer must use another id")
	}
	if err != nil {
		return audience.Actor{}, fmt.Errorf("look up the client: %w", err)
	}
	if out == nil && !has(client, key.secret, i.clock()) {
		return audience.Actor{}, audience.Errorf(audience.BadToken, "the client secret that the token was issued for is not valid any more; get a new token at /ims/token/v3")
	}
	role := client.RoleIn(key.scope.Sandbox)
	if role == "" {
		return audience.Actor{}, audience.Errorf(audience.Forbidden, "the client has no role in the sandbox %.100q", key.scope.Sandbox)
	}
	return audience.Actor{ClientID: client.ID, Scope: key.scope, Role: role, OrgRole: client.Roles[audience.AnySandbox], Grants: audience.NewGrants(client.Grants)}, nil
}

// errNamesake says that a client of another issuer has the id of an API client. Records by client id (idempotency keys,
// webhooks, the audit log, rate limits) could not distinguish the two.
var errNamesake = errors.New("auth: a client of another issuer has the id of an API client")

// client returns the client of a key: a stored one, or one that a token of another issuer describes.
func (i *Issuer) client(ctx context.Context, key grantKey, out *outsider) (audience.Client, error) {
	id := key.client
	if u, err := uuid.Parse(id); err == nil && out != nil {
		id = u.String() // the canonical form, in which ids of API clients are stored
	}
	stored, err := i.store.Client(ctx, id)
	switch {
	case out == nil:
		return stored, err
	case err == nil:
		return audience.Client{}, errNamesake
	case !errors.Is(err, meta.ErrNotFound):
		return audience.Client{}, err
	}
	return audience.Client{ID: key.client, Org: key.scope.Org, Roles: out.roles, Grants: out.labels}, nil
}

// ClearGrants empties the cache of grants, so that changes of clients in the store take effect at once.
func (i *Issuer) ClearGrants() { i.grants.Clear() }

var _ Store = meta.Store(nil)
