package control

import (
	"context"
	"encoding/json"
	"fmt"

	"roster/internal/audience"
	"roster/internal/meta"
)

// Sealer seals the secrets of connections and webhooks, and PGP keys; see secret.Ring. A sealed text can be opened only
// for the place for which it was sealed.
// only.
type Sealer interface {
	Seal(secret []byte, place string) (string, error)
	Open(sealed, place string) ([]byte, error)
	// Rotate creates a new key for sealing. Texts that older keys sealed can still be opened.
	Rotate() error
}

// RotateSecrets creates a new key, seals every secret of every organization with it, and returns their number.
func (s *Service) RotateSecrets(ctx context.Context, a audience.Actor) (resealed int, err error) {
	d, err := s.begin(ctx, a, administers(a), audience.SecretRotate, "all")
	if err != nil {
		return 0, err
	}
	defer d.end(ctx, &err)
	if err := s.cfg.Sealer.Rotate(); err != nil {
		return 0, fmt.Errorf("rotate the keys of secrets: %w", err)
	}
	err = d.update(ctx, func(tx meta.Tx) error {
		resealed = 0
		list, err := tx.Sealed(ctx)
		if err != nil {
			return err
		}
		for _, one := range list {
			text, err := s.cfg.Sealer.Open(one.Text, one.By.Place(one.ID))
			if err != nil {
				return fmt.Errorf("%s %s: %w", one.By, one.ID, err)
			}
			sealed, err := s.cfg.Sealer.Seal(text, one.By.Place(one.ID))
			if err != nil {
				return fmt.Errorf("seal the secret of %s %s: %w", one.By, one.ID, err)
			}
			if err := tx.Reseal(ctx, one, sealed); err != nil {
				return err
			}
			resealed++
		}
		d.entry.Changes(nil, map[string]any{"resealed": resealed})
		return nil
	})
	return resealed, err
}

// sealed returns the connection as it is stored and answered: with its secrets sealed and removed from its parameters.
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
	if c.Sealed, err = s.cfg.Sealer.Seal(text, meta.SealedConnection.Place(string(c.ID))); err != nil {
		return c, fmt.Errorf("seal the secrets of connection %s: %w", c.ID, err)
	}
	return c, nil
}
