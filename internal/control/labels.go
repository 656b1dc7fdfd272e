package control

import (
	"context"
	"slices"
	"strings"

	"roster/internal/audience"
)

// lacking is a refusal because of missing labels. Clients see the error in it, which may be that the object does not
// exist.
type lacking struct {
	error
	labels []string
}

func (e *lacking) Unwrap() error { return e.error }

// seen refuses an object with labels that the actor does not hold, as if the object did not exist.
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
	return &lacking{audience.Errorf(audience.Forbidden, "the API client does not hold %.500s, and can only set labels that it holds; an administrator who holds the label can grant it", strings.Join(missing, ", ")), missing}
}

// Labels returns the labels of the sandbox's audiences that the actor holds, sorted.
func (s *Service) Labels(ctx context.Context, a audience.Actor) ([]string, error) {
	if err := allow(a, toRead); err != nil {
		return nil, err
	}
	used, err := s.cfg.Store.Labels(ctx, a.Scope)
	return slices.DeleteFunc(used, func(label string) bool { return len(a.Grants.Missing([]string{label})) > 0 }), err
}
