package control

import (
	"context"

	"roster/internal/audience"
)

// Receipt returns a run whose receipt is wanted, and where its dataset lies. Only a run that ended SUCCESS, and was
// no dry run, has one: it says what the audience became.
func (s *Service) Receipt(ctx context.Context, a audience.Actor, id audience.ID, run audience.RunID) (audience.Run, string, error) {
	r, err := s.Run(ctx, a, id, run)
	if err != nil {
		return r, "", err
	}
	if r.Status != audience.Success || r.Request.DryRun {
		return r, "", audience.Errorf(audience.Impossible, "run %s has no receipt: it is %s%s, and only a run that ended SUCCESS and changed the audience has one", r.ID, r.Status, dry(r))
	}
	dataset, err := s.dataset(ctx, &audience.Audience{ID: r.AudienceID, Scope: r.Scope})
	if err != nil {
		return r, "", err
	}
	return r, dataset.Location(), nil
}
