package pebble

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"roster/internal/profile"
)

// exitedStep is how many records a step of RemoveExited reads while it keeps runs from being applied.
const exitedStep = 50_000

// RemoveExited implements profile.Store. It reads all memberships of all sandboxes.
func (s *engine) RemoveExited(ctx context.Context, before int64) (removed int64, err error) {
	from := []byte{tagMembership}
	for from != nil {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		var n int64
		if from, n, err = s.removeExitedFrom(ctx, from, before); err != nil {
			return removed, fmt.Errorf("remove exited memberships: %w", err)
		}
		removed += n
	}
	return removed, nil
}

// removeExitedFrom does a step and returns where the next one begins, nil after the last. What is decided about a
// record holds until it is deleted: no run is applied meanwhile.
func (s *engine) removeExitedFrom(ctx context.Context, from []byte, before int64) (next []byte, removed int64, err error) {
	s.applies.Lock()
	defer s.applies.Unlock()
	it, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: from, UpperBound: []byte{tagMembership + 1}})
	if err != nil {
		return nil, 0, err
	}
	defer it.Close()
	batch := s.db.NewBatch()
	defer batch.Close()
	seen := 0
	for ok := it.First(); ok; ok = it.Next() {
		if seen++; seen > exitedStep {
			next = append(next, it.Key()...)
			break
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return nil, 0, err
		}
		var m profile.Membership
		if err := readValue(v, &m); err != nil {
			return nil, 0, err
		}
		if m.Exited && m.At < before {
			removed++
			if err := batch.Delete(it.Key(), nil); err != nil {
				return nil, 0, err
			}
		}
	}
	if err := it.Error(); err != nil {
		return nil, 0, err
	}
	if removed == 0 {
		return next, 0, nil
	}
	return next, removed, batch.Commit(pebble.Sync)
}
