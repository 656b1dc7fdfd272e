package control

import (
	"context"

	"roster/internal/audience"
)

// ExtendTTL starts a run that gives the members of an audience their whole time again, counted from now. Members whose
// time is over are not brought back by it; when there are no others the run fails, and it does not begin when that is
// known before.
func (s *Service) ExtendTTL(ctx context.Context, a audience.Actor, id audience.ID) (run audience.Run, err error) {
	d, err := s.begin(ctx, a, allow(a, toWrite), audience.RunExtendTTL, string(id))
	if err != nil {
		return audience.Run{}, err
	}
	defer d.end(ctx, &err)
	aud, err := s.audience(ctx, s.cfg.Store, a, id)
	if err != nil {
		return audience.Run{}, err
	}
	switch {
	case aud.LastRun == "":
		return audience.Run{}, audience.Errorf(audience.Impossible, "no run of audience %s has succeeded, so that it has no members whose time could be extended; start a run", aud.ID)
	case aud.Members == 0:
		return audience.Run{}, audience.Errorf(audience.Impossible, "audience %s has no members whose time could be extended; start a run that brings some", aud.ID)
	case !s.now().Before(aud.ExpiresAt()):
		return audience.Run{}, audience.Errorf(audience.Impossible, "all members of audience %s have expired; start a run that brings them again", aud.ID)
	}
	return s.startRun(ctx, d, id, audience.RunRequest{Kind: audience.RunExtend, Differential: true})
}
