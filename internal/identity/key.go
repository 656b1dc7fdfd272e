package identity

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/zeebo/xxh3"
)

// Key is the 128-bit hash of an identity: of its namespace's canonical code and its normal form. Datasets, deltas and
// the profile store are ordered by the bytes of keys, which allows diffs by merging.
type Key [16]byte

// KeyOf hashes an identity. The value must be in its normal form (Normalise).
func KeyOf(namespace string, value []byte) Key {
	buf := make([]byte, 0, 128)
	buf = append(buf, namespace...)
	buf = append(buf, 0)
	buf = append(buf, value...)
	h := xxh3.Hash128(buf)
	return h.Bytes()
}

// Compare returns -1, 0 or 1, by the order of the bytes of the keys.
func (k Key) Compare(other Key) int {
	a, b := binary.BigEndian.Uint64(k[:8]), binary.BigEndian.Uint64(other[:8])
	if a == b {
		a, b = binary.BigEndian.Uint64(k[8:]), binary.BigEndian.Uint64(other[8:])
	}
	return cmp.Compare(a, b)
}

// PairKey is the key of a member that is identified by two identities together (contract, section 5,
// expressActivation).
func PairKey(primary, supplemental Key) Key {
	var buf [2 * len(primary)]byte
	copy(buf[copy(buf[:], primary[:]):], supplemental[:])
	h := xxh3.Hash128(buf[:])
	return h.Bytes()
}

// Keys are the keys under which the profile store may have an identity.
type Keys struct {
	Key Key
	// Former is the key by the rule of earlier versions of Roster; it equals the current key if both rules agree. An
	// audience that such a version wrote uses Former until its next run.
	Former Key
}

// KeysOf returns the keys of an identity whose normal form is known.
func KeysOf(namespace string, id, normal []byte) Keys {
	k := Keys{Key: KeyOf(namespace, normal)}
	k.Former = k.Key
	if former, same := Former(namespace, id, nil); !same {
		k.Former = KeyOf(namespace, former)
	}
	return k
}

// All returns the distinct keys.
func (k Keys) All() []Key {
	if k.Former == k.Key {
		return []Key{k.Key}
	}
	return []Key{k.Key, k.Former}
}

// XID returns the opaque id of an identity.
func XID(key Key) string {
	var text [1 + 2*len(key)]byte
	return string(hex.AppendEncode(append(text[:0], 'R'), key[:]))
}

// ParseXID returns the key of an opaque id.
func ParseXID(xid string) (key Key, err error) {
	_, err = hex.Decode(key[:], []byte(strings.TrimPrefix(xid, "R")))
	return key, err
}
