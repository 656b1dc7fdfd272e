package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/meta"
	"roster/internal/profile"
)

// MaxLookup is the largest number of identities in one look-up (contract, section 3, Profiles).
const MaxLookup = 2000

// Statuses of a membership.
const (
	Realized = "realized"
	Exited   = "exited"
)

// IdentityRef names an identity.
type IdentityRef struct{ ID, Namespace string }

// Profile is the knowledge about an identity.
type Profile struct {
	XID         string      // stable and opaque
	Identity    IdentityRef // with the namespace's canonical code and the normalised id
	Primary     bool        // the identity is the primary one of a member
	Memberships []Membership
	ModifiedAt  time.Time            // zero if nothing was found
	Found       bool                 // it has a membership to show
	stored      []profile.Membership // Memberships as stored
}

// Membership is one audience of a profile.
type Membership struct {
	Audience          audience.ID
	Namespace         string // the audience's
	Status            string // Realized or Exited
	LastQualification time.Time
	ValidUntil        time.Time // when it ends, or ended
	// Values are those of the member's row, nil unless they are requested, visible, and present.
	Values *Values
}

// LookupOptions select the parts of profiles.
type LookupOptions struct {
	Values   ValuesWanted // nil for none
	Accounts bool         // only memberships of audiences of accounts
}

// Lookup returns the profiles of identities, in their order. An unknown identity has Found false.
func (s *Service) Lookup(ctx context.Context, a audience.Actor, ids []IdentityRef, o LookupOptions) ([]Profile, error) {
	profiles, err := s.lookUp(ctx, a, ids, o)
	s.observeLookup(ctx, len(ids), profiles, err)
	return profiles, err
}

func (s *Service) lookUp(ctx context.Context, a audience.Actor, ids []IdentityRef, o LookupOptions) ([]Profile, error) {
	if err := allow(a, toRead); err != nil {
		return nil, err
	}
	if len(ids) > MaxLookup {
		return nil, audience.InvalidField("identities", "has %d identities; at most %d are allowed", len(ids), MaxLookup)
	}
	profiles, keys, err := s.identify(ctx, a.Scope.Org, ids)
	if err != nil {
		return nil, err
	}
	sandbox, err := s.sandboxes.Get(ctx, a.Scope, s.cfg.Store.Sandbox)
	if err != nil {
		return nil, fmt.Errorf("sandbox %q: %w", a.Scope.Sandbox, err)
	}
	found, err := s.memberships(ctx, sandbox.Num, keys)
	if err != nil {
		return nil, err
	}
	for i := range profiles {
		if err := s.show(ctx, a, &profiles[i], found[i], o.Accounts); err != nil {
			return nil, err
		}
	}
	if o.Values == nil {
		return profiles, nil
	}
	return profiles, s.addValues(ctx, a, profiles, keys, o.Values)
}

// identify resolves the namespaces and normalises the ids.
func (s *Service) identify(ctx context.Context, org string, ids []IdentityRef) ([]Profile, []identity.Keys, error) {
	var wrong audience.Problems
	profiles, keys := make([]Profile, len(ids)), make([]identity.Keys, len(ids))
	for i, id := range ids {
		code, ok, nearest, err := s.resolve(ctx, org, id.Namespace)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			wrong.Add(fmt.Sprintf("identities[%d].entityIdNS", i), "%s", audience.UnknownNamespace(id.Namespace, nearest))
			continue
		}
		normal := identity.Normalise(code, []byte(id.ID), nil)
		if len(normal) == 0 {
			wrong.Add(fmt.Sprintf("identities[%d].entityId", i), "is required")
			continue
		}
		keys[i] = identity.KeysOf(code, []byte(id.ID), normal)
		profiles[i] = Profile{XID: identity.XID(keys[i].Key), Identity: IdentityRef{ID: string(normal), Namespace: code}}
	}
	return profiles, keys, wrong.Err()
}

// memberships looks identities up by all of their keys. An audience appears once per identity.
func (s *Service) memberships(ctx context.Context, sandbox uint32, ids []identity.Keys) ([][]profile.Membership, error) {
	keys := make([]identity.Key, len(ids))
	for i, id := range ids {
		keys[i] = id.Key
	}
	for _, id := range ids {
		if id.Former != id.Key {
			keys = append(keys, id.Former)
		}
	}
	found, err := s.cfg.Profile.Lookup(ctx, sandbox, keys)
	if err := lookedUp(err); err != nil {
		return nil, err
	}
	formers := found[len(ids):]
	for i, id := range ids {
		if id.Former != id.Key {
			found[i] = unite(found[i], formers[0])
			formers = formers[1:]
		}
	}
	return found[:len(ids)], nil
}

// unite merges the memberships of one identity under two keys. In each audience a current membership wins; of two
// current ones the first wins.
func unite(now, former []profile.Membership) []profile.Membership {
	for _, f := range former {
		at := slices.IndexFunc(now, func(m profile.Membership) bool { return m.Audience == f.Audience })
		switch {
		case at < 0:
			now = append(now, f)
		case now[at].Exited && !f.Exited:
			now[at] = f
		}
	}
	return now
}

// resolve returns the canonical code of a namespace of the organization; see audience.Resolve.
func (s *Service) resolve(ctx context.Context, org, namespace string) (code string, ok bool, nearest []string, err error) {
	if code, ok, _ := audience.Resolve(namespace, nil); ok {
		return code, true, nil, nil
	}
	custom, err := s.namespaces.Get(ctx, org, s.cfg.Store.Namespaces)
	if err != nil {
		return "", false, nil, err
	}
	code, ok, nearest = audience.Resolve(namespace, custom)
	return code, ok, nearest, nil
}

// show adds the memberships that the actor may see to the profile, with accounts only those of accounts.
func (s *Service) show(ctx context.Context, a audience.Actor, p *Profile, stored []profile.Membership, accounts bool) error {
	now := s.cfg.Clock()
	for _, m := range stored {
		aud, err := s.audiences.Get(ctx, m.Audience, s.loadAudience)
		if err != nil {
			return err
		}
		if aud == nil || aud.Scope != a.Scope || !aud.ProfileIngestion || !aud.State.Shown() || !a.Grants.Covers(aud.Labels) || !aud.FoundBy(a.Grants, p.Identity.Namespace) ||
			accounts && aud.AudienceType == audience.TypePeople {
			continue // deleted and not swept yet, or not visible
		}
		shown, modified, ok := membership(aud, m, now)
		if !ok {
			continue
		}
		p.Found = true
		p.Primary = p.Primary || m.Primary || aud.ExpressActivation && p.Identity.Namespace == aud.Fields[aud.PrimaryIdentity()].IdentityNs
		p.Memberships, p.stored = append(p.Memberships, shown), append(p.stored, m)
		if modified.After(p.ModifiedAt) {
			p.ModifiedAt = modified
		}
	}
	return nil
}

// membership decides what is shown of a stored membership at a time, and when that began; shown is false if it ended
// too long ago. A member stays for the audience's TTL after the last run that brought it, by name or by renewing
// everybody. A renewal at or after the exit did not renew this member.
func membership(aud *audience.Audience, m profile.Membership, now time.Time) (shown Membership, since time.Time, ok bool) {
	last := m.Seen
	if !m.Exited || m.RefreshedAt < m.At {
		last = max(last, m.RefreshedAt)
	}
	shown = Membership{Audience: aud.ID, Namespace: aud.Namespace, Status: Realized, LastQualification: time.Unix(last, 0).UTC()}
	if m.Exited {
		shown.ValidUntil = time.Unix(m.At, 0).UTC()
	} else {
		shown.ValidUntil = m.Expiry(aud.TTL()).UTC()
	}
	if !m.Exited && now.Before(shown.ValidUntil) {
		return shown, shown.LastQualification, true
	}
	shown.Status = Exited
	return shown, shown.ValidUntil, audience.StillShown(shown.ValidUntil, now)
}

// loadAudience returns the audience with the number, nil if there is none.
func (s *Service) loadAudience(ctx context.Context, num uint32) (*audience.Audience, error) {
	a, err := s.cfg.Store.AudienceByNum(ctx, num)
	if errors.Is(err, meta.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("audience number %d: %w", num, err)
	}
	return &a, nil
}

// rebuildingFor is the wait that a refused look-up recommends.
const rebuildingFor = 5 * time.Second

// lookedUp converts the profile store's refusal into the contract's error.
func lookedUp(err error) error {
	if errors.Is(err, profile.ErrRebuilding) {
		e := audience.Errorf(audience.Unavailable, "memberships of this sandbox are being rebuilt from the datasets; ask again in some seconds")
		e.RetryAfter = rebuildingFor
		return e
	}
	if err != nil {
		return fmt.Errorf("look up in the profile store: %w", err)
	}
	return nil
}
