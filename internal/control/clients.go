package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/meta"
)

// Credentials creates the secrets of API clients. ClearGrants is called after clients change, so that the change takes
// effect at once.
type Credentials interface {
	NewSecret() (secret string, hash []byte)
	ClearGrants()
}

const (
	// maxClients is the largest number of API clients in one request.
	maxClients = 1000
	// defaultOverlap is how long a replaced secret stays valid by default, and maxOverlap the longest allowed time.
	defaultOverlap = 24 * time.Hour
	maxOverlap     = 30 * 24 * time.Hour
	// maxOldSecrets is the largest number of valid secrets of a client in addition to its newest one.
	maxOldSecrets = 10
)

// ClientPatch changes an API client. Nil properties do not change; others are replaced as a whole.
type ClientPatch struct {
	Name   *string
	Roles  map[string]audience.ClientRole
	Grants *[]string
}

// Clients lists the API clients of the actor's organization by id, after the given id, or from the first one if it is
// "".
func (s *Service) Clients(ctx context.Context, a audience.Actor, after string, limit int) ([]audience.Client, error) {
	if err := administers(a); err != nil {
		return nil, err
	}
	if limit < 1 || limit > maxClients {
		return nil, audience.InvalidField("limit", "must be from 1 to %d", maxClients)
	}
	return s.cfg.Store.Clients(ctx, a.Scope.Org, after, limit)
}

// Client returns an API client of the actor's organization.
func (s *Service) Client(ctx context.Context, a audience.Actor, id string) (audience.Client, error) {
	if err := administers(a); err != nil {
		return audience.Client{}, err
	}
	return client(ctx, s.cfg.Store, a, id)
}

func client(ctx context.Context, r meta.Clients, a audience.Actor, id string) (audience.Client, error) {
	c, err := r.Client(ctx, id)
	if err == nil && c.Org != a.Scope.Org {
		err = meta.ErrNotFound
	}
	if err != nil {
		return audience.Client{}, absent(err, "API client", id)
	}
	return c, nil
}

// CreateClient adds an API client to the actor's organization, with at most the labels that the actor holds. It uses
// only Name, Roles and Grants of c. It returns the secret, which is not shown again.
func (s *Service) CreateClient(ctx context.Context, a audience.Actor, c audience.Client) (created audience.Client, secret string, err error) {
	d, err := s.begin(ctx, a, administers(a), audience.ClientCreate, c.Name)
	if err != nil {
		return audience.Client{}, "", err
	}
	defer d.end(ctx, &err)
	now := s.now()
	c = audience.Client{ID: uuid.NewString(), Org: a.Scope.Org, Name: c.Name, Roles: c.Roles, Grants: c.Grants, CreatedBy: a.ClientID, CreatedAt: now, UpdatedAt: now}
	if err := audience.ValidateClient(&c); err != nil {
		return audience.Client{}, "", err
	}
	if err := holds(a, c.Grants); err != nil {
		return audience.Client{}, "", err
	}
	secret, c.SecretHash = s.cfg.Credentials.NewSecret()
	d.entry.Object = c.ID
	d.entry.Changes(nil, clientFacts(&c))
	err = d.update(ctx, func(tx meta.Tx) error {
		if err := rolesExist(ctx, tx, &c); err != nil {
			return err
		}
		return tx.CreateClient(ctx, c)
	})
	if err != nil {
		return audience.Client{}, "", err
	}
	return c, secret, nil
}

// UpdateClient changes an API client. The actor must hold the labels that it adds.
func (s *Service) UpdateClient(ctx context.Context, a audience.Actor, id string, p ClientPatch) (changed audience.Client, err error) {
	d, err := s.begin(ctx, a, administers(a), audience.ClientUpdate, id)
	if err != nil {
		return audience.Client{}, err
	}
	defer d.end(ctx, &err)
	err = d.update(ctx, func(tx meta.Tx) error {
		was, err := client(ctx, tx, a, id)
		if err != nil {
			return err
		}
		changed = was
		if err := p.apply(&changed); err != nil {
			return err
		}
		if err := holds(a, was.Grants.Missing(changed.Grants)); err != nil {
			return err
		}
		if err := rolesExist(ctx, tx, &changed); err != nil {
			return err
		}
		changed.UpdatedAt = s.now()
		d.entry.Changes(clientFacts(&was), clientFacts(&changed))
		if err := tx.UpdateClient(ctx, changed); err != nil {
			return err
		}
		return administered(ctx, tx, a.Scope.Org)
	})
	s.cfg.Credentials.ClearGrants()
	if err != nil {
		return audience.Client{}, err
	}
	return changed, nil
}

func (p ClientPatch) apply(c *audience.Client) error {
	if p.Name != nil {
		c.Name = *p.Name
	}
	if p.Roles != nil {
		c.Roles = p.Roles
	}
	if p.Grants != nil {
		c.Grants = *p.Grants
	}
	return audience.ValidateClient(c)
}

// DeleteClient removes an API client. Its tokens become invalid.
func (s *Service) DeleteClient(ctx context.Context, a audience.Actor, id string) (err error) {
	d, err := s.begin(ctx, a, administers(a), audience.ClientDelete, id)
	if err != nil {
		return err
	}
	defer d.end(ctx, &err)
	err = d.update(ctx, func(tx meta.Tx) error {
		c, err := client(ctx, tx, a, id)
		if err != nil {
			return err
		}
		d.entry.Changes(clientFacts(&c), nil)
		if err := tx.DeleteClient(ctx, c.Org, c.ID); err != nil {
			return err
		}
		return administered(ctx, tx, a.Scope.Org)
	})
	s.cfg.Credentials.ClearGrants()
	return err
}

// NewClientSecret gives an API client a new secret and returns it; the secret is not shown again. The earlier secrets
// stay valid until the given time, at most maxOverlap from now; the zero time means defaultOverlap from now. If the
// time has passed, they end at once together with the tokens issued for them. The actor must hold the labels of the
// client, because the secret gives access to all of them.
func (s *Service) NewClientSecret(ctx context.Context, a audience.Actor, id string, oldUntil time.Time) (c audience.Client, secret string, err error) {
	d, err := s.begin(ctx, a, administers(a), audience.ClientNewSecret, id)
	if err != nil {
		return audience.Client{}, "", err
	}
	defer d.end(ctx, &err)
	now := s.now()
	if oldUntil.IsZero() {
		oldUntil = now.Add(defaultOverlap)
	}
	if oldUntil.After(now.Add(maxOverlap)) {
		return audience.Client{}, "", audience.InvalidField("oldSecretsValidUntil", "must be at most %d days from now", maxOverlap/(24*time.Hour))
	}
	secret, hash := s.cfg.Credentials.NewSecret()
	err = d.update(ctx, func(tx meta.Tx) error {
		if c, err = client(ctx, tx, a, id); err != nil {
			return err
		}
		if err := holds(a, c.Grants); err != nil {
			return err
		}
		c.OldSecrets = replacedSecrets(c, oldUntil, now)
		if len(c.OldSecrets) > maxOldSecrets {
			return audience.Errorf(audience.Impossible, "API client %s has %d valid secrets; wait until one expires, or end them at once", c.ID, len(c.OldSecrets))
		}
		c.SecretHash, c.UpdatedAt = hash, now
		d.entry.Changes(nil, map[string]any{"oldSecretsValidUntil": oldUntil.UTC().Format(time.RFC3339)})
		return tx.UpdateClient(ctx, c)
	})
	s.cfg.Credentials.ClearGrants()
	if err != nil {
		return audience.Client{}, "", err
	}
	return c, secret, nil
}

// replacedSecrets returns the earlier secrets that stay valid, none for longer than until.
func replacedSecrets(c audience.Client, until, now time.Time) (old []audience.OldSecret) {
	for _, o := range append(slices.Clone(c.OldSecrets), audience.OldSecret{Hash: c.SecretHash, ValidUntil: until}) {
		if o.ValidUntil.After(until) {
			o.ValidUntil = until
		}
		if now.Before(o.ValidUntil) {
			old = append(old, o)
		}
	}
	return old
}

// rolesExist checks that the sandboxes of a client's roles exist, so that no role applies to a later sandbox.
func rolesExist(ctx context.Context, r meta.Tenants, c *audience.Client) error {
	var wrong audience.Problems
	for _, name := range slices.Sorted(maps.Keys(c.Roles)) {
		if name == audience.AnySandbox {
			continue
		}
		sb, err := r.Sandbox(ctx, audience.Scope{Org: c.Org, Sandbox: name})
		if errors.Is(err, meta.ErrNotFound) || err == nil && sb.State == audience.SandboxDeleting {
			wrong.Add("roles."+name, "there is no sandbox %q", name)
		} else if err != nil {
			return fmt.Errorf("sandbox %q: %w", name, err)
		}
	}
	return wrong.Err()
}

// administered refuses a change after which nobody could administer an organization and grant every label.
func administered(ctx context.Context, r meta.Clients, org string) error {
	for after := ""; ; {
		list, err := r.Clients(ctx, org, after, maxClients)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return audience.Errorf(audience.Impossible, "this is the organization's last administrator who holds all labels (%s); create another one first", audience.AllLabels)
		}
		for _, c := range list {
			if c.Roles[audience.AnySandbox] == audience.Admin && c.Grants.All() {
				return nil
			}
			after = c.ID
		}
	}
}
