package control

import (
	"context"
	"reflect"

	"roster/internal/audience"
)

// Receipt returns the receipt of a run.
func (s *Service) Receipt(ctx context.Context, a audience.Actor, id audience.ID, run audience.RunID) (audience.Receipt, error) {
	aud, r, err := s.runOf(ctx, a, id, run)
	if err != nil {
		return audience.Receipt{}, err
	}
	receipt, err := r.Receipt()
	if err != nil {
		return audience.Receipt{}, err
	}
	if err := s.wholeManifest(ctx, a, &aud, r); err != nil {
		return audience.Receipt{}, err
	}
	dataset, err := s.dataset(ctx, &aud)
	if err != nil {
		return audience.Receipt{}, err
	}
	receipt.Location = dataset.Location()
	return receipt, nil
}

// wholeManifest refuses an actor that does not see the whole manifest of a run. A run has only one receipt, which names
// fields without columns in the files.
func (s *Service) wholeManifest(ctx context.Context, a audience.Actor, aud *audience.Audience, seen audience.Run) error {
	if len(aud.Hidden(a.Grants)) == 0 {
		return nil
	}
	whole, err := s.cfg.Store.Run(ctx, aud.Scope, aud.ID, seen.ID)
	if err != nil || reflect.DeepEqual(whole.Result.Files, seen.Result.Files) {
		return absent(err, "run", seen.ID)
	}
	missing := a.Grants.Missing(aud.EveryLabel())
	return &lacking{audience.Errorf(audience.Forbidden, "the receipt of run %s contains fields with labels that the API client does not hold", seen.ID), missing}
}
