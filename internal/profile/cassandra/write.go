package cassandra

import (
	"context"
	"fmt"
	"io"
	"math/bits"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"golang.org/x/sync/errgroup"

	"roster/internal/background"
	"roster/internal/identity"
	"roster/internal/profile"
)

// Apply implements profile.Store.
func (s *Store) Apply(ctx context.Context, ref profile.Ref, p profile.Pointer, d profile.Delta) error {
	st, err := s.state(ctx, ref)
	if err != nil {
		return fmt.Errorf("read an audience's pointer: %w", err)
	}
	have := st.pointer
	if have.Run != "" && p.Run != "" {
		if have.Run == p.Run {
			return nil
		}
	} else if have.Seq >= p.Seq {
		return nil
	}
	if base, known := d.Base(); known && !have.Same(base) {
		return fmt.Errorf("%w: it is at run %d, they follow run %d", profile.ErrBase, have.Seq, base.Seq)
	}
	all, err := s.generations(ctx, ref)
	if err != nil {
		return err
	}
	if st.generation == 0 {
		st.generation = next(st, all)
		st.stamp, st.written = st.generation, 0
		if err := s.write(ctx, ref, st, p, d, generation{}, false); err != nil {
			return err
		}
		s.tidy(ctx, ref, all, st.generation)
		return nil
	}
	var g generation
	for _, one := range all {
		if one.name == st.generation {
			g = one
		}
	}
	st.stamp++
	return s.write(ctx, ref, st, p, d, g, false)
}

// Replace implements profile.Store.
func (s *Store) Replace(ctx context.Context, ref profile.Ref, p profile.Pointer, d profile.Delta) error {
	if err := s.markAlone(ctx, ref); err != nil {
		return err
	}
	st, err := s.state(ctx, ref)
	if err != nil {
		return fmt.Errorf("read an audience's pointer: %w", err)
	}
	all, err := s.generations(ctx, ref)
	if err != nil {
		return err
	}
	absent := state{stamp: next(st, all), distrusted: true}
	if err := s.save(ctx, ref, absent, true); err != nil {
		return fmt.Errorf("remove an audience's pointer: %w", err)
	}
	begun := time.Now()
	name := absent.stamp + generationGap
	if err := s.write(ctx, ref, state{generation: name, stamp: name}, p, d, generation{}, true); err != nil {
		return err
	}
	s.believe(ref)
	if len(all) == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
	case <-time.After(grace - time.Since(begun)):
		s.tidy(ctx, ref, all, name)
	}
	return nil
}

// tidy removes generations that are older than the current one. What it leaves is removed by RemoveExited.
func (s *Store) tidy(ctx context.Context, ref profile.Ref, all []generation, current int64) {
	for _, g := range all {
		if err := s.removeGeneration(ctx, ref, g, current); err != nil {
			s.log.Warn("former rows of an audience are left until the next clean-up", "sandbox-number", ref.Sandbox, "audience-number", ref.Audience, "error", err)
			return
		}
	}
}

// write writes changes and then the pointer. st has the generation and the stamp to write with.
func (s *Store) write(ctx context.Context, ref profile.Ref, st state, p profile.Pointer, d profile.Delta, g generation, trust bool) error {
	st.written += d.Count()
	g = generation{name: st.generation, level: max(g.level, levelOf(st.written)), stamp: st.stamp}
	if err := s.saveGeneration(ctx, ref, g); err != nil {
		return fmt.Errorf("begin to write an audience's memberships: %w", err)
	}
	l := &loading{Store: s, ref: ref, generation: g}
	if err := l.delta(ctx, d); err != nil {
		return fmt.Errorf("write an audience's memberships: %w", err)
	}
	st.pointer = p
	if err := s.save(ctx, ref, st, trust); err != nil {
		return fmt.Errorf("move an audience's pointer: %w", err)
	}
	return nil
}

// A generation's rows in members are spread over 2^level partitions, so that none becomes too large. The level grows
// with the number of rows; rows of lower levels stay where they are.
const (
	partitionRows = 100_000
	mostLevel     = 16
)

func levelOf(rows int64) int {
	return min(bits.Len64(uint64(rows)/partitionRows), mostLevel)
}

// bucketOf returns the partition of an identity on a level.
func bucketOf(k identity.Key, level int) int {
	return (int(k[0])<<8 | int(k[1])) >> (mostLevel - level)
}

// chunkRows is the number of changes that are written together, chunks the number of chunks in progress.
const (
	chunkRows = 250
	chunks    = 4
)

// loading writes changes of a generation with one stamp.
type loading struct {
	*Store
	ref        profile.Ref
	generation generation
}

// delta writes all parts of a delta.
func (l *loading) delta(ctx context.Context, d profile.Delta) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(chunks)
	for part := range d.Parts() {
		if err := l.part(ctx, g, d, part); err != nil {
			if cause := g.Wait(); cause != nil { // it ended the part, too
				return cause
			}
			return err
		}
	}
	return g.Wait()
}

// part reads a part and lets g write its chunks.
func (l *loading) part(ctx context.Context, g *errgroup.Group, d profile.Delta, part int) error {
	r, err := d.Open(ctx, part)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		chunk := make([]profile.Change, 0, chunkRows)
		for len(chunk) < chunkRows {
			var c profile.Change
			if c, err = r.Next(); err != nil {
				break
			}
			chunk = append(chunk, c)
		}
		if err != nil && err != io.EOF {
			return err
		}
		if len(chunk) > 0 {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			g.Go(background.Recovering(func() error { return l.chunk(ctx, chunk) }))
		}
		if err == io.EOF {
			return nil
		}
	}
}

// chunk writes changes: first the lists by which the rows are found for removal, then the rows.
func (l *loading) chunk(ctx context.Context, changes []profile.Change) error {
	if err := l.list(ctx, changes); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(l.a.Concurrency)
	for i := range changes {
		c := &changes[i]
		g.Go(func() error {
			r := row{identity: c.Key, audience: l.ref.Audience, generation: l.generation.name, stamp: l.generation.stamp}
			if c.Member != c.Key {
				r.member = c.Member[:]
			}
			if c.Erased {
				return l.drop(ctx, l.ref.Sandbox, r, l.generation.level)
			}
			if r.member != nil {
				if err := l.exec(ctx, r.stamp, "INSERT INTO others (sandbox, member, audience, generation, identity) VALUES (?, ?, ?, ?, ?)",
					int32(l.ref.Sandbox), r.member, int32(r.audience), r.generation, c.Key[:]); err != nil {
					return err
				}
			}
			return l.exec(ctx, r.stamp, "INSERT INTO memberships (sandbox, identity, audience, generation, member, exited, since, seen, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
				int32(l.ref.Sandbox), c.Key[:], int32(r.audience), r.generation, r.memberBytes(), c.Exited, c.Since, c.Seen, c.At)
		})
	}
	return g.Wait()
}

// list writes the rows of members. Changes are in the order of their keys, so neighbours mostly share a partition, and
// one batch is one write.
func (l *loading) list(ctx context.Context, changes []profile.Change) error {
	for len(changes) > 0 {
		bucket := bucketOf(changes[0].Key, l.generation.level)
		n := 0
		for n < len(changes) && bucketOf(changes[n].Key, l.generation.level) == bucket {
			n++
		}
		err := l.writes.do(ctx, func(ctx context.Context) error {
			b := l.session.Batch(gocql.UnloggedBatch).WithTimestamp(l.generation.stamp).Consistency(l.a.Writes)
			for i := range changes[:n] {
				c := &changes[i]
				if c.Erased {
					continue
				}
				r := row{}
				if c.Member != c.Key {
					r.member = c.Member[:]
				}
				b.Query("INSERT INTO members (sandbox, audience, generation, level, bucket, identity, member) VALUES (?, ?, ?, ?, ?, ?, ?)",
					int32(l.ref.Sandbox), int32(l.ref.Audience), l.generation.name, l.generation.level, bucket, c.Key[:], r.memberBytes())
			}
			if b.Size() == 0 {
				return nil
			}
			return b.ExecContext(ctx)
		})
		if err != nil {
			return err
		}
		changes = changes[n:]
	}
	return nil
}
