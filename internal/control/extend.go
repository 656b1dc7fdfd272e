package control

import (
	"context"

	"roster/internal/audience"
)

// ExtendTTL starts a run that restarts the TTL of an audience's members. It does not restore expired members. If there
// are no other members the run fails; if that is known before, no run is started.
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
		return audience.Run{}, audience.Errorf(audience.Impossible, "no run of audience %s has succeeded, so it has no members to extend; start a run", aud.ID)
	case aud.Members == 0:
		return audience.Run{}, audience.Errorf(audience.Impossible, "audience %s has no members to extend; start a run that adds some", aud.ID)
	case !s.now().Before(aud.ExpiresAt()):
		return audience.Run{}, audience.Errorf(audience.Impossible, "all members of audience %s have expired; start a run that adds them again", aud.ID)
	}
	return s.startRun(ctx, d, id, audience.RunRequest{Kind: audience.RunExtend, Differential: true})
}
