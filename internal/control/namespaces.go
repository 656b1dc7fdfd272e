package control

import (
	"context"
	"errors"

	"roster/internal/audience"
	"roster/internal/meta"
)

// Namespaces lists the identity namespaces: the standard ones, then the organization's own.
func (s *Service) Namespaces(ctx context.Context, a audience.Actor) ([]audience.Namespace, error) {
	if err := allow(a, toRead); err != nil {
		return nil, err
	}
	custom, err := s.cfg.Store.Namespaces(ctx, a.Scope.Org)
	if err != nil {
		return nil, err
	}
	return audience.AllNamespaces(custom), nil
}

// CreateNamespace adds a namespace to the actor's organization. It cannot be removed, because identities may use it.
func (s *Service) CreateNamespace(ctx context.Context, a audience.Actor, n audience.Namespace) (created audience.Namespace, err error) {
	d, err := s.begin(ctx, a, allow(a, toWrite), audience.NamespaceCreate, n.Code)
	if err != nil {
		return audience.Namespace{}, err
	}
	defer d.end(ctx, &err)
	n.Custom = true
	if err := audience.ValidateNamespace(&n); err != nil {
		return audience.Namespace{}, err
	}
	d.entry.Changes(nil, map[string]any{"code": n.Code, "name": n.Name, "idType": n.IDType})
	err = d.update(ctx, func(tx meta.Tx) error {
		custom, err := tx.Namespaces(ctx, a.Scope.Org)
		if err != nil {
			return err
		}
		if _, taken, _ := audience.Resolve(n.Code, custom); taken {
			return meta.ErrDuplicate
		}
		return tx.CreateNamespace(ctx, a.Scope.Org, &n)
	})
	s.namespaces.Clear()
	if errors.Is(err, meta.ErrDuplicate) {
		return audience.Namespace{}, audience.Errorf(audience.Duplicate, "an identity namespace with the code %q already exists", n.Code)
	}
	if err != nil {
		return audience.Namespace{}, err
	}
	return n, nil
}
