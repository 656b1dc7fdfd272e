package pebble

import (
	"context"
	"encoding/binary"
	"fmt"

	"roster/internal/background"
	"roster/internal/identity"
	"roster/internal/profile"
)

// Digests implements profile.Store.
func (s *engine) Digests(ctx context.Context) (map[profile.Ref]profile.Digest, error) {
	out := make(chan error, 1)
	all := map[profile.Ref]profile.Digest{}
	go func() { // on its own thread, which ends with the goroutine
		defer background.Thread()()
		out <- s.digests(ctx, all)
	}()
	if err := <-out; err != nil {
		return nil, fmt.Errorf("sum the memberships: %w", err)
	}
	return all, nil
}

func (s *engine) digests(ctx context.Context, all map[profile.Ref]profile.Digest) (err error) {
	defer recovered(&err)
	it, err := s.db.NewIterWithContext(ctx, nil) // a consistent state
	if err != nil {
		return err
	}
	defer it.Close()
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		if n++; n&0xffff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if err := digest(all, it.Key(), v); err != nil {
			return err
		}
	}
	return it.Error()
}

// digest adds a record to the digests.
func digest(all map[profile.Ref]profile.Digest, key, value []byte) error {
	switch {
	case key[0] == tagPointer:
		ref, err := readPointerKey(key)
		if err != nil {
			return err
		}
		d := all[ref]
		d.Pointer, err = readPointer(value)
		all[ref] = d
		return err
	case key[0] != tagMembership:
		return nil
	case len(key) != shortKey && len(key) != longKey:
		return errValue
	}
	var m profile.Membership
	if err := readValue(value, &m); err != nil || m.Exited {
		return err
	}
	ref := profile.Ref{Sandbox: binary.BigEndian.Uint32(key[1:]), Audience: binary.BigEndian.Uint32(key[prefixSize:])}
	c := profile.Change{Key: identity.Key(key[prefixSize-16 : prefixSize]), Member: readMember(key), Since: m.Since}
	d := all[ref]
	d.Count++
	d.Sum += c.Hash()
	all[ref] = d
	return nil
}
