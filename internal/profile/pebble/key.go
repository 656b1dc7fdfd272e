package pebble

import (
	"encoding/binary"
	"fmt"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/profile"
)

// Keys, big-endian so that they order as their parts do:
//
//	'm' sandbox 4, identity 16, audience 4, [member 16 when it is not the identity]   a membership
//	'p' sandbox 4, audience 4                                                          an audience's pointer
//
// The identity precedes the audience, so one seek finds all audiences of an identity. The cost: an audience's
// memberships are scattered, so tables of a second audience overlap those of the first and are compacted in the
// background, and dropping an audience reads the whole sandbox.
const (
	tagMembership = 'm'
	tagPointer    = 'p'
	prefixSize    = 1 + 4 + 16
	shortKey      = prefixSize + 4
	longKey       = shortKey + 16
)

func appendPrefix(dst []byte, sandbox uint32, k identity.Key) []byte {
	dst = append(dst, tagMembership)
	dst = binary.BigEndian.AppendUint32(dst, sandbox)
	return append(dst, k[:]...)
}

func appendKey(dst []byte, ref profile.Ref, c *profile.Change) []byte {
	dst = appendPrefix(dst, ref.Sandbox, c.Key)
	dst = binary.BigEndian.AppendUint32(dst, ref.Audience)
	if c.Member != c.Key {
		dst = append(dst, c.Member[:]...)
	}
	return dst
}

// readMember returns the member's key from a membership's key.
func readMember(k []byte) identity.Key {
	if len(k) == longKey {
		return identity.Key(k[shortKey:])
	}
	return identity.Key(k[prefixSize-len(identity.Key{}) : prefixSize])
}

func pointerKey(ref profile.Ref) []byte {
	k := binary.BigEndian.AppendUint32([]byte{tagPointer}, ref.Sandbox)
	return binary.BigEndian.AppendUint32(k, ref.Audience)
}

func readPointerKey(k []byte) (ref profile.Ref, err error) {
	if len(k) != 1+4+4 {
		return ref, errValue
	}
	return profile.Ref{Sandbox: binary.BigEndian.Uint32(k[1:]), Audience: binary.BigEndian.Uint32(k[5:])}, nil
}

// split returns the length of the prefix for the Bloom filters: sandbox and identity.
func split(k []byte) int {
	if len(k) > prefixSize && k[0] == tagMembership {
		return prefixSize
	}
	return len(k)
}

// Values: a flags byte, then unsigned varints: since, seen − since, and at when exited.
const valueExited = 1

func appendValue(dst []byte, c *profile.Change) []byte {
	flags := byte(0)
	if c.Exited {
		flags |= valueExited
	}
	dst = append(dst, flags)
	dst = binary.AppendVarint(dst, c.Since)
	dst = binary.AppendVarint(dst, c.Seen-c.Since)
	if c.Exited {
		dst = binary.AppendVarint(dst, c.At)
	}
	return dst
}

var errValue = fmt.Errorf("%w: a record cannot be read", profile.ErrDamaged)

func readValue(v []byte, m *profile.Membership) error {
	if len(v) == 0 {
		return errValue
	}
	m.Exited = v[0]&valueExited != 0
	v = v[1:]
	since, n := binary.Varint(v)
	if n <= 0 {
		return errValue
	}
	seen, k := binary.Varint(v[n:])
	if k <= 0 {
		return errValue
	}
	m.Since, m.Seen = since, since+seen
	if m.Exited {
		at, j := binary.Varint(v[n+k:])
		if j <= 0 {
			return errValue
		}
		m.At = at
	}
	return nil
}

func pointerValue(p profile.Pointer) []byte {
	return append(binary.AppendVarint(binary.AppendVarint(nil, p.Seq), p.RefreshedAt), p.Run...)
}

func readPointer(v []byte) (profile.Pointer, error) {
	seq, n := binary.Varint(v)
	if n <= 0 {
		return profile.Pointer{}, errValue
	}
	at, k := binary.Varint(v[n:])
	if k <= 0 {
		return profile.Pointer{}, errValue
	}
	return profile.Pointer{Seq: seq, RefreshedAt: at, Run: audience.RunID(v[n+k:])}, nil
}
