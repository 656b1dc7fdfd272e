package cassandra

import (
	"context"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"roster/internal/identity"
	"roster/internal/profile"
)

// lookAtOnce is the number of identities of one look-up that are read at once.
const lookAtOnce = 64

// Lookup implements profile.Store.
func (s *Store) Lookup(ctx context.Context, sandbox uint32, keys []identity.Key) ([][]profile.Membership, error) {
	s.trust.RLock()
	defer s.trust.RUnlock()
	var out [][]profile.Membership
	err := s.steadily(ctx, sandbox, func(v *view) error {
		out = make([][]profile.Membership, len(keys))
		var at atomic.Int64
		g, ctx := errgroup.WithContext(ctx)
		for range min(len(keys), lookAtOnce) {
			g.Go(func() error {
				for {
					i := int(at.Add(1)) - 1
					if i >= len(keys) {
						return nil
					}
					var err error
					if out[i], err = s.lookUp(ctx, v, sandbox, keys[i]); err != nil {
						return err
					}
				}
			})
		}
		return g.Wait()
	})
	if err != nil {
		return nil, fmt.Errorf("look up memberships: %w", err)
	}
	return out, nil
}

// steadily calls read with the states of a sandbox's audiences. If read took so long that another process may have removed
// rows meanwhile, it looks at the states again, and reads again if the generations differ.
func (s *Store) steadily(ctx context.Context, sandbox uint32, read func(v *view) error) error {
	v, err := s.trusted(ctx, sandbox)
	for err == nil {
		if err = read(v); err != nil || time.Since(v.loaded) < steady {
			break
		}
		before := v
		if v, err = s.trusted(ctx, sandbox); err == nil && maps.EqualFunc(before.audiences, v.audiences, func(a, b state) bool { return a.generation == b.generation }) {
			break
		}
	}
	return err
}

// lookUp returns the memberships of an identity. Of several in one audience it keeps the preferred one.
func (s *Store) lookUp(ctx context.Context, v *view, sandbox uint32, key identity.Key) (list []profile.Membership, err error) {
	err = s.read(ctx, v, sandbox, key, func(m profile.Membership) {
		if n := len(list); n > 0 && list[n-1].Audience == m.Audience {
			if better(m, list[n-1]) {
				list[n-1] = m
			}
			return
		}
		list = append(list, m)
	})
	return list, err
}

func better(a, b profile.Membership) bool {
	switch {
	case a.Exited != b.Exited:
		return b.Exited
	case a.Exited:
		return a.At > b.At
	}
	return a.Seen > b.Seen
}

// Sharing implements profile.Store.
func (s *Store) Sharing(ctx context.Context, sandbox uint32, key identity.Key, fn func(profile.Membership) error) error {
	s.trust.RLock()
	defer s.trust.RUnlock()
	var all []profile.Membership
	err := s.steadily(ctx, sandbox, func(v *view) error {
		all = nil
		return s.read(ctx, v, sandbox, key, func(m profile.Membership) { all = append(all, m) })
	})
	if err != nil {
		return fmt.Errorf("look up the members with an identity: %w", err)
	}
	for _, m := range all {
		if err := fn(m); err != nil {
			return err
		}
	}
	return nil
}

// read calls fn with each row of an identity that the view shows.
func (s *Store) read(ctx context.Context, v *view, sandbox uint32, key identity.Key, fn func(profile.Membership)) error {
	var list []profile.Membership
	err := s.reads.do(ctx, func(ctx context.Context) error {
		list = list[:0]
		it := s.session.Query("SELECT audience, generation, member, exited, since, seen, at FROM memberships WHERE sandbox = ? AND identity = ?", int32(sandbox), key[:]).
			Consistency(s.a.Reads).PageSize(pageRows).IterContext(ctx)
		var audience int32
		var generation int64
		var member []byte
		var m profile.Membership
		for it.Scan(&audience, &generation, &member, &m.Exited, &m.Since, &m.Seen, &m.At) {
			st := v.audiences[uint32(audience)]
			if st.generation != generation {
				continue
			}
			m.Audience, m.RefreshedAt, m.Primary, m.Member = uint32(audience), st.pointer.RefreshedAt, len(member) == 0, key
			if !m.Primary {
				m.Member = identity.Key(member)
			}
			list = append(list, m)
		}
		return it.Close()
	})
	if err != nil {
		return err
	}
	for _, m := range list {
		fn(m)
	}
	return nil
}
