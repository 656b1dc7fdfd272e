package control

import (
	"encoding/json"
	"fmt"

	"roster/internal/audience"
)

// Sealer seals the secrets of connections and webhooks; see secret.Ring. What was sealed for a place opens there only.
type Sealer interface {
	Seal(secret []byte, place string) (string, error)
	Open(sealed, place string) ([]byte, error)
}

// sealed returns the connection as it is stored and answered: its secrets are sealed and not among its parameters.
func (s *Service) sealed(c audience.Connection) (audience.Connection, error) {
	_, auth := c.Kind()
	public, secrets := map[string]string{}, map[string]string{}
	for name, value := range c.Params {
		if p, _ := auth.Param(name); p.Secret {
			secrets[name] = value
		} else {
			public[name] = value
		}
	}
	c.Params, c.Sealed = public, ""
	if len(secrets) == 0 {
		return c, nil
	}
	text, err := json.Marshal(secrets)
	if err != nil {
		return c, err
	}
	if c.Sealed, err = s.cfg.Sealer.Seal(text, string(c.ID)); err != nil {
		return c, fmt.Errorf("seal the secrets of connection %s: %w", c.ID, err)
	}
	return c, nil
}

// unsealed returns a stored connection with its secrets among its parameters.
func (s *Service) unsealed(c audience.Connection) (audience.Connection, error) {
	if c.Sealed == "" {
		return c, nil
	}
	text, err := s.cfg.Sealer.Open(c.Sealed, string(c.ID))
	if err != nil {
		return c, fmt.Errorf("connection %s: %w", c.ID, err)
	}
	params := map[string]string{}
	if err := json.Unmarshal(text, &params); err != nil {
		return c, fmt.Errorf("connection %s: its secrets cannot be read", c.ID)
	}
	for name, value := range c.Params {
		params[name] = value
	}
	c.Params, c.Sealed = params, ""
	return c, nil
}
