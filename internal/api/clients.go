package api

import (
	"context"
	"net/http"
	"time"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

// Clients administers API clients and secrets.
type Clients interface {
	Clients(ctx context.Context, a audience.Actor, after string, limit int) ([]audience.Client, error)
	Client(ctx context.Context, a audience.Actor, id string) (audience.Client, error)
	CreateClient(ctx context.Context, a audience.Actor, c audience.Client) (created audience.Client, secret string, err error)
	UpdateClient(ctx context.Context, a audience.Actor, id string, p control.ClientPatch) (audience.Client, error)
	DeleteClient(ctx context.Context, a audience.Actor, id string) error
	NewClientSecret(ctx context.Context, a audience.Actor, id string, oldUntil time.Time) (c audience.Client, secret string, err error)
	RotateSecrets(ctx context.Context, a audience.Actor) (resealed int, err error)
}

// Pages of API clients.
const (
	defaultClients = 20
	maxClients     = 100
)

// clientPages are the pages of API clients.
var clientPages = pages{parameter: "start"}

func (s *server) listClients(c *call) (answer, error) {
	q := c.query()
	after := ""
	clientPages.read(q, &after)
	limit := q.limit(defaultClients, maxClients)
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	list, err := s.Service.Clients(c.Context(), c.actor, after, limit+1) // one more: is there another page?
	if err != nil {
		return answer{}, err
	}
	body := client.APIClientList{Clients: []client.APIClient{}, Page: client.CursorPage{Limit: limit}}
	if len(list) > limit {
		list = list[:limit]
		body.Page.Next = clientPages.token(q, list[limit-1].ID)
	}
	for i := range list {
		body.Clients = append(body.Clients, clientBody(&list[i]))
	}
	body.Page.Count = len(list)
	return answer{http.StatusOK, body}, nil
}

// clientID reads the id of an API client.
func (c *call) clientID() (string, error) { return c.id("clientId", "API client") }

func (s *server) client(c *call) (answer, error) {
	id, err := c.clientID()
	if err != nil {
		return answer{}, err
	}
	found, err := s.Service.Client(c.Context(), c.actor, id)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, clientBody(&found)}, nil
}

func (s *server) createClient(c *call) (answer, error) {
	var in client.NewAPIClient
	if err := c.typedJSON(&in); err != nil {
		return answer{}, err
	}
	created, secret, err := s.Service.CreateClient(c.Context(), c.actor, audience.Client{Name: in.Name, Roles: rolesOf(in.Roles), Grants: in.Labels})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, secretBody(&created, secret)}, nil
}

func (s *server) updateClient(c *call) (answer, error) {
	id, err := c.clientID()
	if err != nil {
		return answer{}, err
	}
	var in client.APIClientPatch
	if err := c.typedJSON(&in); err != nil {
		return answer{}, err
	}
	p := control.ClientPatch{Name: in.Name, Grants: in.Labels}
	if in.Roles != nil {
		p.Roles = rolesOf(*in.Roles)
	}
	changed, err := s.Service.UpdateClient(c.Context(), c.actor, id, p)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, clientBody(&changed)}, nil
}

func (s *server) deleteClient(c *call) (answer, error) {
	id, err := c.clientID()
	if err != nil {
		return answer{}, err
	}
	if err := s.Service.DeleteClient(c.Context(), c.actor, id); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, nil
}

// newSecret gives an API client a new secret.
func (s *server) newSecret(c *call) (answer, error) {
	id, err := c.clientID()
	if err != nil {
		return answer{}, err
	}
	data, err := c.body()
	if err != nil {
		return answer{}, err
	}
	var in client.NewSecret
	if len(data) > 0 {
		if err := decode(data, &in); err != nil {
			return answer{}, err
		}
	}
	var until time.Time
	if in.OldSecretsValidUntil != nil {
		t, ok := instant(*in.OldSecretsValidUntil)
		if !ok {
			return answer{}, audience.InvalidField("oldSecretsValidUntil", "must be a time in epoch seconds or milliseconds")
		}
		until = t
	}
	changed, secret, err := s.Service.NewClientSecret(c.Context(), c.actor, id, until)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, secretBody(&changed, secret)}, nil
}

// oneTimeSecret is a body with a secret. The stored answer for repetitions of the request is kept, without the secret.
type oneTimeSecret struct{ body, kept any }

// secretBody returns the body with a client's new secret.
func secretBody(c *audience.Client, secret string) oneTimeSecret {
	kept := clientBody(c)
	body := kept
	body.ClientSecret = secret
	return oneTimeSecret{body: body, kept: kept}
}

func clientBody(c *audience.Client) client.APIClient {
	b := client.APIClient{ClientID: c.ID, Name: c.Name, Roles: map[string]string{}, Labels: append([]string{}, c.Grants...),
		CreatedBy: c.CreatedBy, CreatedAt: epoch(c.CreatedAt), UpdatedAt: epoch(c.UpdatedAt)}
	for sandbox, role := range c.Roles {
		b.Roles[sandbox] = string(role)
	}
	for _, old := range c.OldSecrets {
		b.OldSecretsValidUntil = append(b.OldSecretsValidUntil, epoch(old.ValidUntil))
	}
	return b
}

// rolesOf converts the roles of a request.
func rolesOf(in map[string]string) map[string]audience.ClientRole {
	roles := map[string]audience.ClientRole{}
	for sandbox, role := range in {
		roles[sandbox] = audience.ClientRole(role)
	}
	return roles
}

// rotateSecrets encrypts every secret with a new key.
func (s *server) rotateSecrets(c *call) (answer, error) {
	n, err := s.Service.RotateSecrets(c.Context(), c.actor)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, client.RotatedSecrets{Resealed: n}}, nil
}
