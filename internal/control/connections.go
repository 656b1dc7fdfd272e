package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/meta"
)

// Limits of a list of connections.
const (
	defaultConnections = 20
	maxConnections     = 100
)

// CreateConnection records a connection whose store can be opened.
func (s *Service) CreateConnection(ctx context.Context, a audience.Actor, c audience.Connection) (created audience.Connection, err error) {
	d, err := s.begin(ctx, a, allow(a, toWrite), audience.ConnectionCreate, c.Name)
	if err != nil {
		return audience.Connection{}, err
	}
	defer d.end(ctx, &err)
	c.SpecID = strings.ToLower(c.SpecID)
	if err := checkConnectionForm(c); err != nil {
		return audience.Connection{}, err
	}
	now := s.now()
	c.ID, c.Scope = audience.ConnectionID(uuid.NewString()), a.Scope
	c.Etag, c.Version, c.State = newEtag(), 1, "enabled"
	c.CreatedBy, c.CreatedAt, c.UpdatedBy, c.UpdatedAt = a.ClientID, now, a.ClientID, now
	if c.SpecVersion == "" {
		c.SpecVersion = "1.0"
	}
	if err := s.leadsSomewhere(ctx, &c); err != nil {
		return audience.Connection{}, err
	}
	if c, err = s.sealed(c); err != nil {
		return audience.Connection{}, err
	}
	d.entry.Changes(nil, connectionFacts(&c))
	err = d.update(ctx, func(tx meta.Tx) error {
		d.entry.Object = string(c.ID)
		if err := openSandbox(ctx, tx, c.Scope); err != nil {
			return err
		}
		return tx.CreateConnection(ctx, c)
	})
	return c, connectionTaken(err, &c)
}

// leadsSomewhere checks that the store of a connection can be opened with its parameters.
func (s *Service) leadsSomewhere(ctx context.Context, c *audience.Connection) error {
	src, err := s.cfg.Sources.Open(ctx, c.Scope, c)
	if c.SpecID == audience.SpecLocal && audience.CodeOf(err) == audience.BadGateway {
		return audience.InvalidField("auth.params.root", "cannot be opened as a folder")
	}
	if err != nil {
		return err
	}
	src.Close()
	return nil
}

// connectionTaken converts the store's ErrDuplicate into the contract's error about a name.
func connectionTaken(err error, c *audience.Connection) error {
	if errors.Is(err, meta.ErrDuplicate) {
		return audience.Errorf(audience.Duplicate, "a connection named %q already exists in sandbox %q", c.Name, c.Scope.Sandbox)
	}
	return err
}

// ConnectionChange changes a connection. Only Name, Description, AuthSpec and Params may change.
type ConnectionChange func(c *audience.Connection)

// UpdateConnection changes a connection that has one of the etags, or any if there are none. Its store must be one that
// can be opened, as for a new connection. Later runs read from it.
func (s *Service) UpdateConnection(ctx context.Context, a audience.Actor, id audience.ConnectionID, ifMatch []string, change ConnectionChange) (changed audience.Connection, err error) {
	d, err := s.begin(ctx, a, allow(a, toWrite), audience.ConnectionUpdate, string(id))
	if err != nil {
		return audience.Connection{}, err
	}
	defer d.end(ctx, &err)
	was, err := s.Connection(ctx, a, id)
	if err != nil {
		return audience.Connection{}, err
	}
	stale := audience.Errorf(audience.Stale, "connection %s has changed since it was read; read it again", was.ID)
	if len(ifMatch) > 0 && !slices.Contains(ifMatch, was.Etag) {
		return audience.Connection{}, stale
	}
	plain, err := s.cfg.Sources.Unsealed(was)
	if err != nil {
		return audience.Connection{}, err
	}
	edited := plain
	edited.Params = maps.Clone(plain.Params)
	change(&edited)
	if err := givenAgain(plain, edited, change); err != nil {
		return audience.Connection{}, err
	}
	c := was
	c.Name, c.Description, c.AuthSpec, c.Params, c.Sealed = edited.Name, edited.Description, edited.AuthSpec, edited.Params, ""
	c.Etag, c.Version, c.UpdatedBy, c.UpdatedAt = newEtag(), was.Version+1, a.ClientID, s.now()
	if err := checkConnectionForm(c); err != nil {
		return audience.Connection{}, err
	}
	if err := s.leadsSomewhere(ctx, &c); err != nil {
		return audience.Connection{}, err
	}
	if c, err = s.sealed(c); err != nil {
		return audience.Connection{}, err
	}
	d.entry.Changes(connectionFacts(&was), connectionFacts(&c))
	if !maps.Equal(plain.Params, edited.Params) {
		d.entry.After["valuesOfParams"] = "changed"
	}
	err = d.update(ctx, func(tx meta.Tx) error {
		now, err := tx.Connection(ctx, a.Scope, was.ID)
		if err != nil {
			return absent(err, "connection", id)
		}
		if now.Etag != was.Etag {
			return stale
		}
		return tx.UpdateConnection(ctx, c)
	})
	if err != nil {
		return audience.Connection{}, connectionTaken(err, &c)
	}
	return c, nil
}

// givenAgain refuses to send a secret to another place than the one for which it was entered, unless the change
// contains the secret: a client that may change a connection need not know its secrets.
func givenAgain(was, edited audience.Connection, change ConnectionChange) error {
	moved := was.Moved(&edited)
	if moved == "" {
		return nil
	}
	_, before := was.Kind()
	_, after := edited.Kind()
	secret := func(name string) bool {
		b, _ := before.Param(name)
		a, _ := after.Param(name)
		return b.Secret || a.Secret
	}
	bare := was
	bare.Params = maps.Clone(was.Params)
	maps.DeleteFunc(bare.Params, func(name, _ string) bool { return secret(name) })
	change(&bare)
	var wrong audience.Problems
	for _, name := range slices.Sorted(maps.Keys(edited.Params)) {
		if secret(name) && edited.Params[name] != "" && bare.Params[name] == "" {
			wrong.Add("auth.params."+name, "must be given again, because %s changes, which may decide where this secret is sent", moved)
		}
	}
	return wrong.Err()
}

func newEtag() string { return `"` + uuid.NewString() + `"` }

// checkConnectionForm checks a connection's form. Opening the store checks its parameters.
func checkConnectionForm(c audience.Connection) error {
	var wrong audience.Problems
	wrong.Text("name", c.Name)
	wrong.OptionalText("description", c.Description)
	wrong.OptionalText("connectionSpec.version", c.SpecVersion)
	kind, known := audience.KindOf(c.SpecID)
	auth, fits := kind.Auth(c.AuthSpec)
	switch {
	case c.SpecID == "":
		wrong.Add("connectionSpec.id", "is required")
	case !known:
		wrong.Add("connectionSpec.id", "%.64q is not a kind of connection; local files are %s, S3 is %s", c.SpecID, audience.SpecLocal, audience.SpecS3)
	case !fits:
		wrong.Add("auth.specName", "%.64q is not valid for this kind of connection; use %s", c.AuthSpec, authNames(kind))
	}
	if !known || !fits {
		return wrong.Err()
	}
	for _, name := range slices.Sorted(maps.Keys(c.Params)) {
		path := fmt.Sprintf("auth.params.%.64s", name)
		if _, ok := auth.Param(name); !ok {
			wrong.Add(path, "is not a parameter of this kind of connection, which has %s", paramNames(auth))
		}
		wrong.OptionalText(path, c.Params[name])
	}
	for _, p := range auth.Params {
		if p.Required && c.Params[p.Name] == "" {
			wrong.Add("auth.params."+p.Name, "is required")
		}
	}
	return wrong.Err()
}

func paramNames(a audience.ConnectionAuth) string {
	if len(a.Params) == 0 {
		return "none"
	}
	names := make([]string, len(a.Params))
	for i, p := range a.Params {
		names[i] = p.Name
	}
	return strings.Join(names, ", ")
}

func authNames(k audience.ConnectionKind) string {
	names := make([]string, len(k.Auths))
	for i, a := range k.Auths {
		names[i] = strconv.Quote(a.Name)
	}
	return strings.Join(names, " or ")
}

// Connection returns one connection.
func (s *Service) Connection(ctx context.Context, a audience.Actor, id audience.ConnectionID) (audience.Connection, error) {
	if err := allow(a, toRead); err != nil {
		return audience.Connection{}, err
	}
	key, ok := audience.Canonical(id)
	if !ok {
		return audience.Connection{}, notFound("connection", id)
	}
	c, err := s.cfg.Store.Connection(ctx, a.Scope, key)
	return c, absent(err, "connection", id)
}

// Connections lists connections by creation time: all, or the one with the name, after the one with the id after. A
// limit of 0 is 20.
func (s *Service) Connections(ctx context.Context, a audience.Actor, name string, after audience.ConnectionID, limit int) ([]audience.Connection, error) {
	if err := allow(a, toRead); err != nil {
		return nil, err
	}
	if limit == 0 {
		limit = defaultConnections
	}
	if limit < 1 || limit > maxConnections {
		return nil, audience.InvalidField("limit", "must be from 1 to %d", maxConnections)
	}
	unknown := audience.InvalidField("continuationToken", "names a connection that does not exist")
	if after != "" {
		key, ok := audience.Canonical(after)
		if !ok {
			return nil, unknown
		}
		after = key
	}
	list, err := s.cfg.Store.Connections(ctx, a.Scope, name, after, limit)
	if errors.Is(err, meta.ErrNotFound) {
		return nil, unknown
	}
	return list, err
}

// DeleteConnection removes a connection that no audience uses.
func (s *Service) DeleteConnection(ctx context.Context, a audience.Actor, id audience.ConnectionID) (err error) {
	d, err := s.begin(ctx, a, allow(a, toAdminister), audience.ConnectionDelete, string(id))
	if err != nil {
		return err
	}
	defer d.end(ctx, &err)
	key, ok := audience.Canonical(id)
	if !ok {
		return notFound("connection", id)
	}
	return d.update(ctx, func(tx meta.Tx) error {
		found, err := tx.Connection(ctx, a.Scope, key)
		if err != nil {
			return absent(err, "connection", id)
		}
		d.entry.Changes(connectionFacts(&found), nil)
		used, err := tx.ConnectionInUse(ctx, a.Scope, key)
		if err != nil {
			return err
		}
		if used {
			return audience.Errorf(audience.Impossible, "connection %s is in use by an audience; delete its audiences first", key)
		}
		return absent(tx.DeleteConnection(ctx, a.Scope, key), "connection", id)
	})
}
