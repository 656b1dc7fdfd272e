package profile

import (
	"encoding/hex"
	"strings"

	"roster/internal/identity"
)

// Keys are the keys by which the profile store may know an identity.
type Keys struct {
	Key Key
	// Former is the key by the rule of earlier versions of Roster, key again when both rules agree. An audience whose
	// members were brought by such a version has it until its next run.
	Former Key
}

// KeysOf returns the keys of an identity whose normal form is known.
func KeysOf(namespace string, id, normal []byte) Keys {
	k := Keys{Key: KeyOf(namespace, normal)}
	k.Former = k.Key
	if former, same := identity.Former(namespace, id, nil); !same {
		k.Former = KeyOf(namespace, former)
	}
	return k
}

// All are the keys, each once.
func (k Keys) All() []Key {
	if k.Former == k.Key {
		return []Key{k.Key}
	}
	return []Key{k.Key, k.Former}
}

// XID is the opaque id of an identity.
func XID(key Key) string {
	var text [1 + 2*len(key)]byte
	return string(hex.AppendEncode(append(text[:0], 'R'), key[:]))
}

// ParseXID returns the key of an opaque id.
func ParseXID(xid string) (key Key, err error) {
	_, err = hex.Decode(key[:], []byte(strings.TrimPrefix(xid, "R")))
	return key, err
}
