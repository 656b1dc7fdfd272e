package control

import (
	"context"
	"fmt"
	"slices"
	"time"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/lake"
	"roster/internal/members"
	"roster/internal/profile"
)

// Member is one identity's membership of an audience, and where it comes from.
type Member struct {
	Audience          audience.ID
	Identity          IdentityRef // with the namespace's canonical code and the normalised id
	Status            string      // Realized or Exited
	Since             time.Time   // when it began
	LastQualification time.Time   // when it was last brought, by name or by a full run
	ValidUntil        time.Time   // when it ends, or ended
	// Origin is the row that the member has; nil when it is Exited.
	Origin *MemberOrigin
}

// MemberOrigin is where the row of a member comes from.
type MemberOrigin struct {
	Run          audience.RunID // "" when it is not known any more
	RunCreatedAt time.Time
	File         audience.PlannedFile // the zero value when it is not known any more
	Line         int64
}

// Member returns the membership of one identity. In an audience with profile ingestion any identity of a member
// finds it, and whoever left or expired is found for audience.ExitedFor. In one without, only the primary identity
// finds a member, and whoever expired only until a run has removed the row. Everybody else is NotFound. Of the members of an audience
// with expressActivation who share the identity the one is returned that a run brought last; without profile ingestion that is Impossible.
func (s *Service) Member(ctx context.Context, a audience.Actor, id audience.ID, who IdentityRef) (Member, error) {
	if err := allow(a, toRead); err != nil {
		return Member{}, err
	}
	aud, err := s.audience(ctx, s.cfg.Store, a, id)
	if err != nil {
		return Member{}, err
	}
	if aud.ExpressActivation && !aud.ProfileIngestion {
		return Member{}, audience.Errorf(audience.Impossible, "audience %s has expressActivation and no profile ingestion: an identity finds no member of it; list its members", aud.ID)
	}
	who, keys, err := s.identity(ctx, a.Scope.Org, who)
	if err != nil {
		return Member{}, err
	}
	// The profile store first: the dataset, whose commit comes before, is never behind what it said.
	stored, known, err := s.stored(ctx, &aud, keys)
	if err != nil {
		return Member{}, err
	}
	d, err := s.dataset(ctx, &aud)
	if err != nil {
		return Member{}, err
	}
	m, found, err := s.memberOf(ctx, &aud, d, keys, stored, known)
	if err != nil {
		return Member{}, err
	}
	if !found || !aud.FoundBy(a.Grants, who.Namespace) {
		return Member{}, audience.Errorf(audience.NotFound, "this identity is not a member of audience %s and has not been one in the last %d days",
			aud.ID, audience.ExitedFor/(24*time.Hour))
	}
	m.Audience, m.Identity = aud.ID, who
	return m, nil
}

// memberOf finds a member by its own key, then by the one that the profile store knows for the key.
func (s *Service) memberOf(ctx context.Context, aud *audience.Audience, d *lake.Dataset, id identity.Keys, stored profile.Membership, known bool) (Member, bool, error) {
	snap, ok := d.Current()
	if !ok {
		return Member{}, false, nil
	}
	keys := id.All()
	if known && !slices.Contains(keys, stored.Member) {
		keys = append(keys, stored.Member)
	}
	now := s.cfg.Clock()
	for _, k := range keys {
		row, ok, err := members.Find(ctx, s.membersOf(d), aud, k, now)
		if err != nil {
			return Member{}, false, fmt.Errorf("find a member of audience %s: %w", aud.ID, err)
		}
		if ok {
			m, shown := present(&row, now)
			return m, shown, nil
		}
	}
	if !known {
		return Member{}, false, nil
	}
	m, ok := left(aud, stored, snap.Time, now)
	return m, ok, nil
}

// identity resolves the namespace and normalises the id.
func (s *Service) identity(ctx context.Context, org string, who IdentityRef) (IdentityRef, identity.Keys, error) {
	code, ok, nearest, err := s.resolve(ctx, org, who.Namespace)
	if err != nil {
		return who, identity.Keys{}, err
	}
	if !ok {
		return who, identity.Keys{}, audience.InvalidField("namespace", "%s", audience.UnknownNamespace(who.Namespace, nearest))
	}
	normal := identity.Normalise(code, []byte(who.ID), nil)
	if len(normal) == 0 {
		return who, identity.Keys{}, audience.InvalidField("identity", "is required")
	}
	return IdentityRef{ID: string(normal), Namespace: code}, identity.KeysOf(code, []byte(who.ID), normal), nil
}

// stored returns what the profile store has of a key in the audience; false when it has nothing.
func (s *Service) stored(ctx context.Context, aud *audience.Audience, keys identity.Keys) (profile.Membership, bool, error) {
	if !aud.ProfileIngestion {
		return profile.Membership{}, false, nil
	}
	sandbox, err := s.sandboxes.Get(ctx, aud.Scope, s.cfg.Store.Sandbox)
	if err != nil {
		return profile.Membership{}, false, fmt.Errorf("sandbox %q: %w", aud.Scope.Sandbox, err)
	}
	found, err := s.memberships(ctx, sandbox.Num, []identity.Keys{keys})
	if err != nil {
		return profile.Membership{}, false, err
	}
	for _, m := range found[0] {
		if m.Audience == aud.Num {
			return m, true, nil
		}
	}
	return profile.Membership{}, false, nil
}

// present is a member that the dataset has; false when it expired too long ago to be shown.
func present(row *members.Member, now time.Time) (m Member, shown bool) {
	m = Member{Status: Exited, Since: row.Since, LastQualification: row.Qualified, ValidUntil: row.Expires}
	if !now.Before(row.Expires) {
		return m, audience.StillShown(row.Expires, now)
	}
	m.Status = Realized
	m.Origin = &MemberOrigin{Run: row.Run.ID, RunCreatedAt: row.Run.CreatedAt, File: row.File, Line: row.Line}
	return m, true
}

// left is who is not in the dataset; false when it ended too long ago to be shown. The profile store learns of it
// a moment after the dataset, whose time stands in until then.
func left(aud *audience.Audience, stored profile.Membership, since, now time.Time) (Member, bool) {
	shown, _, ok := membership(aud, stored, now)
	if shown.Status == Realized {
		shown.ValidUntil = since
	}
	return Member{Status: Exited, Since: time.Unix(stored.Since, 0), LastQualification: shown.LastQualification, ValidUntil: shown.ValidUntil}, ok
}
