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

// Member is one identity's membership of an audience, with its origin.
type Member struct {
	Audience          audience.ID
	Identity          IdentityRef // with the namespace's canonical code and the normalised id
	Status            string      // Realized or Exited
	Since             time.Time   // start of the membership
	LastQualification time.Time   // last run that brought the member, by name or as a full run
	ValidUntil        time.Time   // when it ends, or ended
	// Origin is the origin of the member's row; nil if the member is Exited.
	Origin *MemberOrigin
}

// MemberOrigin is the origin of a member's row.
type MemberOrigin struct {
	Run          audience.RunID // "" if it is no longer known
	RunCreatedAt time.Time
	File         audience.PlannedFile // the zero value if it is no longer known
	Line         int64
}

// Member returns the membership of one identity. In an audience with profile ingestion any identity of a member finds
// it, and members that left or expired are found for audience.ExitedFor. In an audience without, only the primary
// identity finds a member, and an expired member is found only until a run has removed the row. Other identities are
// NotFound. If several members of an audience with expressActivation share the identity, the one that a run last
// brought is returned; without profile ingestion that is Impossible.
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
	// Read the profile store first: the dataset, which is committed earlier, is never behind it.
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

// memberOf finds a member by its own key, then by the key that the profile store has for it.
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

// stored returns the profile store's membership of a key in the audience; false if there is none.
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

// present describes a member that is in the dataset; shown is false if it expired too long ago.
func present(row *members.Member, now time.Time) (m Member, shown bool) {
	m = Member{Status: Exited, Since: row.Since, LastQualification: row.Qualified, ValidUntil: row.Expires}
	if !now.Before(row.Expires) {
		return m, audience.StillShown(row.Expires, now)
	}
	m.Status = Realized
	m.Origin = &MemberOrigin{Run: row.Run.ID, RunCreatedAt: row.Run.CreatedAt, File: row.File, Line: row.Line}
	return m, true
}

// left describes a member that is not in the dataset; it returns false if the membership ended too long ago. The
// profile store learns of the end a moment after the dataset, whose time is used until then.
func left(aud *audience.Audience, stored profile.Membership, since, now time.Time) (Member, bool) {
	shown, _, ok := membership(aud, stored, now)
	if shown.Status == Realized {
		shown.ValidUntil = since
	}
	return Member{Status: Exited, Since: time.Unix(stored.Since, 0), LastQualification: shown.LastQualification, ValidUntil: shown.ValidUntil}, ok
}
