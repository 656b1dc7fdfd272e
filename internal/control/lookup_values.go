package control

import (
	"context"
	"errors"
	"fmt"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/lake"
	"roster/internal/members"
	"roster/internal/profile"
)

// maxValues is the largest number of bytes of text in the answer to one look-up.
const maxValues = 16 << 20

// ValuesWanted reports whether a look-up requests the values of an audience's field.
type ValuesWanted func(namespace string, id audience.ID, field string) bool

// maxRows is the largest number of rows, of members that share an identity, in the answer to one look-up.
const maxRows = 10_000

// Values are those of a member's row, or of the rows of all members with the identity.
type Values struct {
	Fields  []audience.Field
	Columns []members.Column // of the fields
	Rows    []int            // of the columns
	List    bool             // there may be several rows: the audience has expressActivation
}

// valued is a membership whose values are requested.
type valued struct {
	of *Membership
	// keys are the possible keys of the member's row, the most likely first; with expressActivation those of the
	// members.
	keys []identity.Key
}

// valuedAudience has the memberships of an audience whose values are requested.
type valuedAudience struct {
	aud     *audience.Audience
	members []valued
}

// addValues adds to profiles the values that the actor may see: those of realized memberships in the current snapshot
// of each audience's dataset. keys are those of the identities.
func (s *Service) addValues(ctx context.Context, a audience.Actor, profiles []Profile, keys []identity.Keys, want ValuesWanted) error {
	var order []*valuedAudience
	left, rows := maxValues, maxRows
	by := map[audience.ID]*valuedAudience{}
	for i := range profiles {
		for j := range profiles[i].Memberships {
			m, stored := &profiles[i].Memberships[j], &profiles[i].stored[j]
			if m.Status != Realized {
				continue
			}
			v := by[m.Audience]
			if v == nil {
				aud, err := s.audiences.Get(ctx, stored.Audience, s.loadAudience)
				if err != nil {
					return err
				}
				if aud == nil || aud.NoPayload {
					continue
				}
				v = &valuedAudience{aud: aud}
				by[m.Audience] = v
				order = append(order, v)
			}
			row := valued{m, memberKeys(stored, keys[i])}
			if v.aud.ExpressActivation {
				var err error
				if row.keys, err = s.sharing(ctx, v.aud, keys[i].Key, rows); err != nil {
					return err
				}
				rows -= len(row.keys)
			}
			v.members = append(v.members, row)
		}
	}
	for _, v := range order {
		if err := s.valuesOf(ctx, a, v, want, &left); err != nil {
			return err
		}
	}
	return nil
}

func tooManyValues(most, instead string) error {
	return audience.Errorf(audience.Impossible, "the values of these identities are more than %s; %s", most, instead)
}

// sharing returns the keys of the current members of an audience with an identity. It refuses more than most.
func (s *Service) sharing(ctx context.Context, aud *audience.Audience, key identity.Key, most int) (keys []identity.Key, err error) {
	sandbox, err := s.sandboxes.Get(ctx, aud.Scope, s.cfg.Store.Sandbox)
	if err != nil {
		return nil, fmt.Errorf("sandbox %q: %w", aud.Scope.Sandbox, err)
	}
	now := s.cfg.Clock()
	err = s.cfg.Profile.Sharing(ctx, sandbox.Num, key, func(m profile.Membership) error {
		if m.Audience != aud.Num {
			return nil
		}
		if shown, _, _ := membership(aud, m, now); shown.Status != Realized {
			return nil
		}
		if len(keys) == most {
			return tooManyValues(fmt.Sprintf("%d rows", maxRows), "ask for fewer identities, or list the members of the audience")
		}
		keys = append(keys, m.Member)
		return nil
	})
	return keys, lookedUp(err)
}

// memberKeys returns the possible keys of a member's row. A dataset gets new keys a moment before the profile store.
// During that time the identity leads to the row of the member whose primary one it is.
func memberKeys(m *profile.Membership, id identity.Keys) []identity.Key {
	keys := []identity.Key{m.Member}
	if m.Primary {
		for _, k := range []identity.Key{id.Key, id.Former} {
			if k != m.Member && (len(keys) == 1 || k != keys[1]) {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

// valuesOf reads the values of an audience's members. left is the remaining number of bytes of text.
func (s *Service) valuesOf(ctx context.Context, a audience.Actor, v *valuedAudience, want ValuesWanted, left *int) error {
	var fields []audience.Field
	o := lake.FindOptions{Most: *left}
	for _, f := range v.aud.SeenBy(a.Grants).Fields {
		if want(v.aud.Namespace, v.aud.ID, f.Name) {
			fields = append(fields, f)
			o.Columns = append(o.Columns, f.Name)
		}
	}
	if len(fields) == 0 {
		return nil
	}
	var keys []identity.Key
	for _, m := range v.members {
		keys = append(keys, m.keys...)
	}
	o.Large = s.large
	found, err := s.cfg.Lake.Find(ctx, lake.TableOf(v.aud.Scope, v.aud.ID), keys, o)
	switch {
	case errors.Is(err, lake.ErrNotExist):
		if err := s.withoutDataset(ctx, v.aud, err); audience.CodeOf(err) != audience.NotFound {
			return err
		}
		return nil // deleted at this moment
	case errors.Is(err, lake.ErrTooMuch):
		return tooManyValues(fmt.Sprintf("%d MiB of text", maxValues>>20), "select fields, or ask for fewer identities")
	case err != nil:
		return fmt.Errorf("read values of audience %s: %w", v.aud.ID, err)
	}
	*left -= found.Bytes
	columns := members.ColumnsOf(found.Rows.Columns())
	n := 0
	for _, m := range v.members {
		for range m.keys {
			switch row := found.At[n]; {
			case row < 0:
			case m.of.Values == nil:
				m.of.Values = &Values{Fields: fields, Columns: columns, Rows: []int{row}, List: v.aud.ExpressActivation}
			case m.of.Values.List:
				m.of.Values.Rows = append(m.of.Values.Rows, row)
			}
			n++
		}
	}
	return nil
}
