package cassandra

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"roster/internal/identity"
	"roster/internal/profile"
)

// row identifies a row of memberships and its write time.
type row struct {
	identity   identity.Key
	audience   uint32
	generation int64
	member     []byte // empty if the member's key is the identity
	stamp      int64
}

// memberBytes returns the member as it is stored: never null.
func (r row) memberBytes() []byte {
	if r.member == nil {
		return []byte{}
	}
	return r.member
}

// drop removes a row and its entries in the lists, with the row's own write time: the run that wrote the row cannot
// bring it back, a later one can. The row goes last, so that a repetition finds it.
func (s *Store) drop(ctx context.Context, sandbox uint32, r row, level int) error {
	for l := range level + 1 {
		if err := s.exec(ctx, r.stamp, "DELETE FROM members WHERE sandbox = ? AND audience = ? AND generation = ? AND level = ? AND bucket = ? AND identity = ? AND member = ?",
			int32(sandbox), int32(r.audience), r.generation, l, bucketOf(r.identity, l), r.identity[:], r.memberBytes()); err != nil {
			return err
		}
	}
	if len(r.member) > 0 {
		if err := s.exec(ctx, r.stamp, "DELETE FROM others WHERE sandbox = ? AND member = ? AND audience = ? AND generation = ? AND identity = ?",
			int32(sandbox), r.member, int32(r.audience), r.generation, r.identity[:]); err != nil {
			return err
		}
	}
	return s.exec(ctx, r.stamp, "DELETE FROM memberships WHERE sandbox = ? AND identity = ? AND audience = ? AND generation = ? AND member = ?",
		int32(sandbox), r.identity[:], int32(r.audience), r.generation, r.memberBytes())
}

// dropAll drops rows, on the levels of their generations.
func (s *Store) dropAll(ctx context.Context, sandbox uint32, rows []row) error {
	known := map[uint32][]generation{}
	for _, r := range rows {
		all, ok := known[r.audience]
		if !ok {
			var err error
			if all, err = s.generations(ctx, profile.Ref{Sandbox: sandbox, Audience: r.audience}); err != nil {
				return err
			}
			known[r.audience] = all
		}
		level := 0
		if i := slices.IndexFunc(all, func(g generation) bool { return g.name == r.generation }); i >= 0 {
			level = all[i].level
		}
		if err := s.drop(ctx, sandbox, r, level); err != nil {
			return err
		}
	}
	return nil
}

// rows returns the rows of an identity, of all generations.
func (s *Store) rows(ctx context.Context, sandbox uint32, key identity.Key) (all []row, err error) {
	var audience int32
	var r row
	err = s.each(ctx, func() error {
		all = append(all, row{identity: key, audience: uint32(audience), generation: r.generation, member: slices.Clone(r.member), stamp: r.stamp})
		return nil
	}, []any{&audience, &r.generation, &r.member, &r.stamp},
		"SELECT audience, generation, member, WRITETIME(since) FROM memberships WHERE sandbox = ? AND identity = ?", int32(sandbox), key[:])
	return all, err
}

// RemoveIdentities implements profile.Store.
func (s *Store) RemoveIdentities(ctx context.Context, sandbox uint32, keys []identity.Key) error {
	for _, key := range keys {
		rows, err := s.rows(ctx, sandbox, key)
		if err == nil {
			err = s.dropAll(ctx, sandbox, rows)
		}
		if err != nil {
			return fmt.Errorf("remove identities: %w", err)
		}
	}
	return nil
}

// RemoveMembers implements profile.Store.
func (s *Store) RemoveMembers(ctx context.Context, sandbox uint32, keys []identity.Key, others []profile.Member) (err error) {
	for _, key := range keys {
		if err == nil {
			err = s.removeMember(ctx, sandbox, key, func(uint32) bool { return true })
		}
	}
	for _, m := range others {
		if err == nil {
			err = s.removeMember(ctx, sandbox, m.Key, func(audience uint32) bool { return audience == m.Audience })
		}
	}
	if err != nil {
		return fmt.Errorf("remove members: %w", err)
	}
	return nil
}

// removeMember removes the members with a key in some audiences, under all of their identities.
func (s *Store) removeMember(ctx context.Context, sandbox uint32, key identity.Key, in func(audience uint32) bool) error {
	found, err := s.rows(ctx, sandbox, key)
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(r row) bool { return len(r.member) > 0 })
	var audience int32
	var text []byte
	r := row{member: key[:]}
	err = s.each(ctx, func() error {
		r.audience, r.identity = uint32(audience), identity.Key(text)
		found = append(found, r)
		return nil
	}, []any{&audience, &r.generation, &text}, "SELECT audience, generation, identity FROM others WHERE sandbox = ? AND member = ?", int32(sandbox), key[:])
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(r row) bool { return !in(r.audience) })
	for i := range found {
		if err := s.stamped(ctx, sandbox, &found[i]); err != nil {
			return err
		}
	}
	return s.dropAll(ctx, sandbox, found)
}

// stamped gives a row from a list the write time of the row itself. If there is no such row any more, its entries are
// removed with the stamp of the audience, which is not less.
func (s *Store) stamped(ctx context.Context, sandbox uint32, r *row) error {
	if r.stamp != 0 {
		return nil
	}
	err := s.each(ctx, func() error { return nil }, []any{&r.stamp}, "SELECT WRITETIME(since) FROM memberships WHERE sandbox = ? AND identity = ? AND audience = ? AND generation = ? AND member = ?",
		int32(sandbox), r.identity[:], int32(r.audience), r.generation, r.memberBytes())
	if err != nil || r.stamp != 0 {
		return err
	}
	st, err := s.state(ctx, profile.Ref{Sandbox: sandbox, Audience: r.audience})
	r.stamp = max(st.stamp, r.generation)
	return err
}

// RemoveAudience implements profile.Store.
func (s *Store) RemoveAudience(ctx context.Context, ref profile.Ref) error {
	if err := s.removeAudience(ctx, ref); err != nil {
		return fmt.Errorf("remove an audience: %w", err)
	}
	return nil
}

func (s *Store) removeAudience(ctx context.Context, ref profile.Ref) error {
	if err := s.marked(ctx, ref); err != nil {
		return err
	}
	st, err := s.state(ctx, ref)
	if err != nil {
		return err
	}
	all, err := s.generations(ctx, ref)
	if err != nil {
		return err
	}
	removed := state{stamp: next(st, all)}
	if st != (state{}) || len(all) > 0 {
		if err := s.save(ctx, ref, removed, true); err != nil {
			return err
		}
	}
	for _, g := range all {
		if err := s.removeGeneration(ctx, ref, g, removed.stamp); err != nil {
			return err
		}
	}
	s.believe(ref)
	return nil
}

// removeGeneration removes the rows of a generation that no look-up sees. stamp is not less than any write time of its
// rows.
func (s *Store) removeGeneration(ctx context.Context, ref profile.Ref, g generation, stamp int64) error {
	sandbox, audience := int32(ref.Sandbox), int32(ref.Audience)
	for level := range g.level + 1 {
		for bucket := range 1 << level {
			if err := s.removeBucket(ctx, ref, g.name, stamp, level, bucket); err != nil {
				return err
			}
		}
	}
	return s.exec(ctx, stamp, "DELETE FROM generations WHERE sandbox = ? AND audience = ? AND generation = ?", sandbox, audience, g.name)
}

func (s *Store) removeBucket(ctx context.Context, ref profile.Ref, name, stamp int64, level, bucket int) error {
	sandbox, audience := int32(ref.Sandbox), int32(ref.Audience)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.a.Concurrency)
	var key, member []byte
	err := s.each(gctx, func() error {
		k, m := slices.Clone(key), slices.Clone(member)
		g.Go(func() error {
			if len(m) > 0 {
				if err := s.exec(gctx, stamp, "DELETE FROM others WHERE sandbox = ? AND member = ? AND audience = ? AND generation = ?", sandbox, m, audience, name); err != nil {
					return err
				}
			}
			return s.exec(gctx, stamp, "DELETE FROM memberships WHERE sandbox = ? AND identity = ? AND audience = ? AND generation = ?", sandbox, k, audience, name)
		})
		return nil
	}, []any{&key, &member}, "SELECT identity, member FROM members WHERE sandbox = ? AND audience = ? AND generation = ? AND level = ? AND bucket = ?",
		sandbox, audience, name, level, bucket)
	if werr := g.Wait(); werr != nil {
		return werr
	}
	if err != nil {
		return err
	}
	return s.exec(ctx, stamp, "DELETE FROM members WHERE sandbox = ? AND audience = ? AND generation = ? AND level = ? AND bucket = ?", sandbox, audience, name, level, bucket)
}
