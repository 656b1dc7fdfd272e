package control

import (
	"context"

	"roster/internal/audience"
)

// Observer counts look-ups. It returns quickly and is safe for concurrent use.
type Observer interface {
	// LookedUp is called for each look-up with the number of identities that had the outcome.
	LookedUp(o LookupOutcome, identities int)
}

// LookupOutcome is what a look-up found out about an identity.
type LookupOutcome string

// The outcomes of look-ups.
const (
	LookupFound       LookupOutcome = "found"       // a membership is shown
	LookupUnknown     LookupOutcome = "unknown"     // no membership is shown
	LookupRefused     LookupOutcome = "refused"     // the request is wrong, or not allowed
	LookupUnavailable LookupOutcome = "unavailable" // the profile store is being repaired
	LookupFailed      LookupOutcome = "failed"      // an internal error
)

// LookupOutcomes are all of them.
var LookupOutcomes = []LookupOutcome{LookupFound, LookupUnknown, LookupRefused, LookupUnavailable, LookupFailed}

// unobserved is the Observer of a Service without one.
type unobserved struct{}

func (unobserved) LookedUp(LookupOutcome, int) {}

// observeLookup counts a look-up of this number of identities. It ignores a client that went away.
func (s *Service) observeLookup(ctx context.Context, identities int, profiles []Profile, err error) {
	if err == nil {
		found := 0
		for i := range profiles {
			if profiles[i].Found {
				found++
			}
		}
		s.cfg.Observer.LookedUp(LookupFound, found)
		s.cfg.Observer.LookedUp(LookupUnknown, identities-found)
		return
	}
	if ctx.Err() != nil {
		return
	}
	outcome := LookupRefused
	switch audience.CodeOf(err) {
	case audience.Unavailable:
		outcome = LookupUnavailable
	case audience.Internal, audience.BadGateway:
		outcome = LookupFailed
	}
	s.cfg.Observer.LookedUp(outcome, identities)
}
