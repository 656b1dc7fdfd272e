// Package profile is the contract of the profile store, which finds the memberships of an identity. The store is a
// projection of the lake and can be rebuilt from it at any time. The contract requires only guarantees that Cassandra
// can give: no transactions across keys, and blind idempotent writes ordered by the run's sequence number. Engines pass
// the suite in profile/profiletest.
package profile

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/zeebo/xxh3"

	"roster/internal/audience"
	"roster/internal/identity"
)

// Ref identifies an audience in the store by the number of its sandbox and its own number.
type Ref struct {
	Sandbox  uint32
	Audience uint32
}

// Member identifies a member by the audience's number and the member's key: the key of the primary identity, or the
// PairKey of the primary and the supplemental identity, which no look-up uses.
type Member struct {
	Audience uint32
	Key      identity.Key
}

// Change is a run's change of one identity of one member. Times are epoch seconds.
type Change struct {
	Key    identity.Key // the identity that finds the member
	Member identity.Key // the member's key; equal to Key if Key is the primary identity and the member has no PairKey
	Exited bool
	Since  int64 // member since
	Seen   int64 // time of the last run that contained the member
	At     int64 // time of the exit, 0 while a member
	// Erased removes every trace of the membership. The times are then meaningless.
	Erased bool
}

// ChangeReader reads changes in the order of (Key, Member). Next returns io.EOF after the last one.
type ChangeReader interface {
	Next() (Change, error)
	io.Closer
}

// Delta contains all changes of a run, in parts with disjoint, ascending ranges of keys. Each part is sorted and has no
// two changes of the same (Key, Member). Parts may be read concurrently.
type Delta interface {
	Parts() int
	Open(ctx context.Context, part int) (ChangeReader, error)
	// Count is the number of changes in all parts.
	Count() int64
	// Base is the pointer that the changes are based on; false if unknown.
	Base() (Pointer, bool)
}

// Pointer is the position of an audience's projection in the sequence of runs.
type Pointer struct {
	Seq         int64 // sequence number of the last applied run, 0 if none
	RefreshedAt int64 // epoch seconds of the last full run or extend run, which renewed all members; 0 if none
	// Run is the last applied run; "" if there is none, or if a version of Roster without this field applied it.
	Run audience.RunID
}

// Same reports whether two pointers are at the same run.
func (p Pointer) Same(o Pointer) bool {
	return p.Seq == o.Seq && (p.Run == o.Run || p.Run == "" || o.Run == "")
}

// Errors of a Store.
var (
	// ErrBase is returned by Apply if the pointer is not at the delta's base, because changes are missing or belong to
	// other runs. The audience must be projected again with Replace.
	ErrBase = errors.New("profile: the projection is not at the run that the changes follow")
	// ErrRebuilding is returned by Lookup while an audience of the sandbox is distrusted, and by every method while a
	// damaged store is being replaced by an empty one.
	ErrRebuilding = errors.New("profile: memberships are being rebuilt")
	// ErrDamaged is returned if the store's files differ from the written data.
	ErrDamaged = errors.New("profile: the store is damaged")
)

// Digest summarizes the current memberships of an audience.
type Digest struct {
	Pointer Pointer
	Count   int64  // identities of current members
	Sum     uint64 // sum of Hash over all, modulo 2^64
}

// Hash returns the contribution of a current membership to a digest.
func (c *Change) Hash() uint64 {
	var b [16 + 16 + 8]byte
	copy(b[:], c.Key[:])
	copy(b[16:], c.Member[:])
	binary.LittleEndian.PutUint64(b[32:], uint64(c.Since))
	return xxh3.Hash(b[:])
}

// Membership is one audience of an identity, as stored. The reader, which knows the TTL, decides whether it is
// realized, exited or gone: unless Exited, it expires TTL after the later of Seen and the audience's
// Pointer.RefreshedAt.
type Membership struct {
	Audience    uint32
	Member      identity.Key // the member's key
	Primary     bool         // the identity is the primary identity of the member and its key
	Exited      bool
	Since       int64
	Seen        int64
	At          int64
	RefreshedAt int64 // the audience's Pointer.RefreshedAt
}

// Store keeps memberships.
type Store interface {
	// Apply applies a run's delta and moves the audience's pointer to p. It does nothing if the pointer is already at
	// p, or, without p.Run, at p.Seq or later. The error is ErrBase if the pointer is not at the delta's base. After an
	// error or a crash at any moment, the same call completes the work. After it returns nil, the changes survive a
	// crash of the machine.
	Apply(ctx context.Context, ref Ref, p Pointer, d Delta) error
	// Pointer returns the audience's pointer, the zero value if no run was applied.
	Pointer(ctx context.Context, ref Ref) (Pointer, error)
	// Pointers returns the pointers of all audiences.
	Pointers(ctx context.Context) (map[Ref]Pointer, error)
	// Distrust refuses look-ups in the audience's sandbox until Replace or RemoveAudience of the audience has succeeded. It
	// returns after the look-ups in progress have ended.
	Distrust(ref Ref)
	// Distrusted lists the distrusted audiences.
	Distrusted() []Ref
	// Replace replaces all memberships of the audience by the changes of d and moves its pointer to p. It distrusts the
	// audience until it has succeeded. After an error or a crash the pointer is absent.
	Replace(ctx context.Context, ref Ref, p Pointer, d Delta) error
	// Digests returns the digests of all audiences in one consistent state. It reads the whole store.
	Digests(ctx context.Context) (map[Ref]Digest, error)
	// Lookup returns the memberships of each key in the sandbox, in the order of the keys; nil for an unknown key. An
	// audience appears once per key. If several members share an identity, a current member wins over an exited one;
	// among current members the later Seen wins, among exited ones the later At.
	Lookup(ctx context.Context, sandbox uint32, keys []identity.Key) ([][]Membership, error)
	// Sharing calls fn with all memberships of a key in the sandbox. Unlike Lookup, it returns one for each member with
	// the identity. An error of fn ends the iteration and is returned unchanged.
	Sharing(ctx context.Context, sandbox uint32, key identity.Key, fn func(Membership) error) error
	// RemoveAudience removes all data of an audience. It may take long, and can be repeated after a crash.
	RemoveAudience(ctx context.Context, ref Ref) error
	// RemoveIdentities removes the memberships of identities in all audiences of the sandbox, so that no look-up finds
	// them. The removal survives a crash of the machine.
	RemoveIdentities(ctx context.Context, sandbox uint32, keys []identity.Key) error
	// RemoveMembers removes, under all of their identities, the members whose key is one of keys in all audiences of the
	// sandbox, and the given other members. It may take long, and can be repeated after a crash.
	RemoveMembers(ctx context.Context, sandbox uint32, keys []identity.Key, others []Member) error
	// RemoveExited removes the memberships that exited before a time, in epoch seconds, and returns their number. It is safe
	// for concurrent use with all other methods.
	RemoveExited(ctx context.Context, before int64) (removed int64, err error)
	// Close releases the store. It is safe to call twice.
	Close() error
}

// Expiry returns when the membership ends, for an audience with the given TTL.
func (m Membership) Expiry(ttl time.Duration) time.Time {
	return time.UnixMicro(audience.ExpiryOf(ttl, time.Unix(m.RefreshedAt, 0)).At(time.Unix(m.Seen, 0).UnixMicro()))
}
