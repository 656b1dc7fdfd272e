package pebble

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"roster/internal/identity"
	"roster/internal/profile"
)

// RemoveAudience implements profile.Store. It reads all memberships of the sandbox.
func (s *engine) RemoveAudience(ctx context.Context, ref profile.Ref) error {
	var want [4]byte
	binary.BigEndian.PutUint32(want[:], ref.Audience)
	batch, err := s.removeAll(ctx, ref.Sandbox, func(key []byte) bool { return bytes.Equal(key[prefixSize:shortKey], want[:]) })
	if err != nil {
		return fmt.Errorf("remove an audience: %w", err)
	}
	defer batch.Close()
	if err := batch.Delete(pointerKey(ref), nil); err != nil {
		return err
	}
	s.ptrs.Delete(ref)
	if err := batch.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("remove an audience: %w", err)
	}
	return nil
}

// RemoveIdentities implements profile.Store.
func (s *engine) RemoveIdentities(ctx context.Context, sandbox uint32, keys []identity.Key) error {
	batch := s.db.NewBatch()
	defer func() { batch.Close() }()
	it, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return fmt.Errorf("remove identities: %w", err)
	}
	defer it.Close()
	// Single deletions: every read of the store has to consider each range that was deleted.
	for _, key := range keys {
		for ok := it.SeekPrefixGE(appendPrefix(nil, sandbox, key)); ok; ok = it.Next() {
			if err := batch.Delete(it.Key(), nil); err != nil {
				return fmt.Errorf("remove identities: %w", err)
			}
		}
	}
	if err := errors.Join(it.Error(), batch.Commit(pebble.Sync)); err != nil {
		return fmt.Errorf("remove identities: %w", err)
	}
	return nil
}

// RemoveMembers implements profile.Store. It reads all memberships of the sandbox.
func (s *engine) RemoveMembers(ctx context.Context, sandbox uint32, keys []identity.Key, others []profile.Member) error {
	everywhere := make(map[identity.Key]bool, len(keys))
	for _, key := range keys {
		everywhere[key] = true
	}
	removed := make(map[profile.Member]bool, len(others))
	for _, m := range others {
		removed[m] = true
	}
	batch, err := s.removeAll(ctx, sandbox, func(k []byte) bool {
		member := readMember(k)
		return everywhere[member] || len(removed) > 0 && removed[profile.Member{Audience: binary.BigEndian.Uint32(k[prefixSize:]), Key: member}]
	})
	if err != nil {
		return fmt.Errorf("remove members: %w", err)
	}
	defer batch.Close()
	if err := batch.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("remove members: %w", err)
	}
	return nil
}

// removeAll removes the memberships of a sandbox whose keys match. It returns a batch with the last of them; the caller
// must commit the batch with sync to make all removals durable.
func (s *engine) removeAll(ctx context.Context, sandbox uint32, matches func(key []byte) bool) (_ *pebble.Batch, err error) {
	lower := appendPrefix(nil, sandbox, identity.Key{})[:5]
	upper := appendPrefix(nil, sandbox+1, identity.Key{})[:5]
	it, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	batch := s.db.NewBatch()
	defer func() {
		if err != nil {
			batch.Close()
		}
	}()
	for ok := it.First(); ok; ok = it.Next() {
		if !matches(it.Key()) {
			continue
		}
		if err := batch.Delete(it.Key(), nil); err != nil {
			return nil, err
		}
		if batch.Count() >= smallDelta {
			if err := batch.Commit(pebble.NoSync); err != nil {
				return nil, err
			}
			batch = s.db.NewBatch()
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
	}
	return batch, it.Error()
}
