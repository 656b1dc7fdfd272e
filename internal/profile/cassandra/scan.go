package cassandra

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"roster/internal/identity"
	"roster/internal/profile"
)

// scanRanges is the number of ranges of the ring that are read one by one, scanAtOnce how many at once.
const (
	scanRanges = 64
	scanAtOnce = 2
)

// scan calls fn, from several goroutines, with every row of memberships in the whole store.
func (s *Store) scan(ctx context.Context, fn func(ctx context.Context, sandbox uint32, r row, m profile.Membership) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(scanAtOnce)
	const step = math.MaxUint64/scanRanges + 1
	for i := range uint64(scanRanges) {
		from := int64(1<<63 + i*step)
		to := int64(uint64(from) + step - 1)
		g.Go(func() error {
			var sandbox, audience int32
			var key []byte
			var r row
			var m profile.Membership
			return s.each(ctx, func() error {
				r.identity, r.audience = identity.Key(key), uint32(audience)
				m.Member = r.identity
				if len(r.member) > 0 {
					m.Member = identity.Key(r.member)
				}
				return fn(ctx, uint32(sandbox), r, m)
			}, []any{&sandbox, &key, &audience, &r.generation, &r.member, &m.Exited, &m.Since, &m.At, &r.stamp},
				"SELECT sandbox, identity, audience, generation, member, exited, since, at, WRITETIME(since) FROM memberships WHERE token(sandbox, identity) >= ? AND token(sandbox, identity) <= ?", from, to)
		})
	}
	return g.Wait()
}

// settled returns the states of the audiences that no run is changing.
func (s *Store) settled(ctx context.Context) (map[profile.Ref]state, error) {
	states, err := s.states(ctx)
	if err != nil {
		return nil, err
	}
	quiet := map[profile.Ref]bool{}
	var sandbox, audience int32
	var g generation
	err = s.each(ctx, func() error {
		ref := profile.Ref{Sandbox: uint32(sandbox), Audience: uint32(audience)}
		if st := states[ref]; st.generation == g.name && st.stamp == g.stamp {
			quiet[ref] = true
		}
		return nil
	}, []any{&sandbox, &audience, &g.name, &g.stamp}, "SELECT sandbox, audience, generation, stamp FROM generations")
	for ref := range states {
		if !quiet[ref] {
			delete(states, ref)
		}
	}
	return states, err
}

// Digests implements profile.Store. An audience that changes meanwhile is missing.
func (s *Store) Digests(ctx context.Context) (map[profile.Ref]profile.Digest, error) {
	all, err := s.digests(ctx)
	if err != nil {
		return nil, fmt.Errorf("sum the memberships: %w", err)
	}
	return all, nil
}

func (s *Store) digests(ctx context.Context) (map[profile.Ref]profile.Digest, error) {
	before, err := s.settled(ctx)
	if err != nil {
		return nil, err
	}
	all := make(map[profile.Ref]profile.Digest, len(before))
	for ref, st := range before {
		all[ref] = profile.Digest{Pointer: st.pointer}
	}
	var mu sync.Mutex
	err = s.scan(ctx, func(_ context.Context, sandbox uint32, r row, m profile.Membership) error {
		ref := profile.Ref{Sandbox: sandbox, Audience: r.audience}
		if m.Exited || before[ref].generation != r.generation {
			return nil
		}
		c := profile.Change{Key: r.identity, Member: m.Member, Since: m.Since}
		mu.Lock()
		defer mu.Unlock()
		d := all[ref]
		d.Count++
		d.Sum += c.Hash()
		all[ref] = d
		return nil
	})
	if err != nil {
		return nil, err
	}
	after, err := s.settled(ctx)
	for ref, st := range before {
		if after[ref].stamp != st.stamp {
			delete(all, ref)
		}
	}
	return all, err
}

// RemoveExited implements profile.Store. It also removes rows of generations that are not listed any more, which a
// process that was stopped for long can write.
func (s *Store) RemoveExited(ctx context.Context, before int64) (removed int64, err error) {
	if removed, err = s.removeExited(ctx, before); err != nil {
		return removed, fmt.Errorf("remove exited memberships: %w", err)
	}
	return removed, nil
}

func (s *Store) removeExited(ctx context.Context, before int64) (removed int64, err error) {
	if err := s.removeFormer(ctx); err != nil {
		return 0, err
	}
	generations := listed{store: s, known: map[profile.Ref]map[int64]generation{}}
	var mu sync.Mutex
	err = s.scan(ctx, func(ctx context.Context, sandbox uint32, r row, m profile.Membership) error {
		g, ok, err := generations.of(ctx, profile.Ref{Sandbox: sandbox, Audience: r.audience}, r)
		if err != nil || ok && (!m.Exited || m.At >= before) {
			return err
		}
		if err := s.drop(ctx, sandbox, r, g.level); err != nil || !ok {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		removed++
		return nil
	})
	return removed, err
}

// removeFormer removes the generations that are older than the current ones, unless another process may still show them.
func (s *Store) removeFormer(ctx context.Context) error {
	states, err := s.states(ctx)
	if err != nil {
		return err
	}
	var sandbox, audience int32
	var g generation
	return s.each(ctx, func() error {
		ref := profile.Ref{Sandbox: uint32(sandbox), Audience: uint32(audience)}
		st := states[ref]
		if g.name < st.generation && time.Since(time.UnixMicro(st.generation)) > grace || st.generation == 0 && !st.distrusted && g.name < st.stamp {
			return s.removeGeneration(ctx, ref, g, st.stamp)
		}
		return nil
	}, []any{&sandbox, &audience, &g.name, &g.level}, "SELECT sandbox, audience, generation, level FROM generations")
}

// listed finds the generations of rows. A generation is listed before its rows are written, so a row that was read of a
// generation that is not listed afterwards is a remnant.
type listed struct {
	store *Store
	mu    sync.Mutex
	known map[profile.Ref]map[int64]generation
}

// of returns the generation of a row that was read; false if it is not listed.
func (l *listed) of(ctx context.Context, ref profile.Ref, r row) (generation, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if g, ok := l.known[ref][r.generation]; ok && r.stamp <= g.stamp {
		return g, true, nil
	}
	all, err := l.store.generations(ctx, ref)
	if err != nil {
		return generation{}, false, err
	}
	byName := make(map[int64]generation, len(all))
	for _, g := range all {
		byName[g.name] = g
	}
	l.known[ref] = byName
	g, ok := byName[r.generation]
	return g, ok, nil
}
