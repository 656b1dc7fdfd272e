package control

import (
	"context"
	"slices"
	"strings"

	"roster/internal/audience"
)

// lacking is a refusal for want of labels. Clients see the error in it, which may be that there is nothing.
type lacking struct {
	error
	labels []string
}

func (e *lacking) Unwrap() error { return e.error }

// seen refuses a thing with labels that the actor does not hold as if it did not exist.
func seen[ID ~string](a audience.Actor, labels []string, what string, id ID) error {
	if a.Grants.Covers(labels) {
		return nil
	}
	return &lacking{notFound(what, id), a.Grants.Missing(labels)}
}

// holds refuses an actor that sets or grants labels which it does not hold.
func holds(a audience.Actor, labels []string) error {
	missing := a.Grants.Missing(labels)
	if len(missing) == 0 {
		return nil
	}
	return &lacking{audience.Errorf(audience.Forbidden, "the API client does not hold %.500s, and whoever does not hold a label cannot give it to anything; an administrator who holds it can grant it", strings.Join(missing, ", ")), missing}
}

// Labels returns the labels that audiences of the sandbox have, in order, as far as the actor holds them.
func (s *Service) Labels(ctx context.Context, a audience.Actor) ([]string, error) {
	if err := allow(a, toRead); err != nil {
		return nil, err
	}
	used, err := s.cfg.Store.Labels(ctx, a.Scope)
	return slices.DeleteFunc(used, func(label string) bool { return len(a.Grants.Missing([]string{label})) > 0 }), err
}
