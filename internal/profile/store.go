// Package profile is the contract of the profile store: which identities are members of which audiences,
// found by identity. It is a projection of the lake and can be rebuilt from it at any time. The contract
// promises only what Cassandra can keep: no transaction over keys, blind idempotent writes ordered by the
// run's sequence number. Engines pass the suite in profile/profiletest.
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

// Ref names an audience in the store by the small numbers of its sandbox and itself.
type Ref struct {
	Sandbox  uint32
	Audience uint32
}

// Member names a member of an audience by the audience's number and the member's key: that of its primary identity, or the PairKey
// of its primary and its supplemental one, which no look-up asks for.
type Member struct {
	Audience uint32
	Key      identity.Key
}

// Change is what a run does to one identity of one member. Times are epoch seconds.
type Change struct {
	Key    identity.Key // the identity that finds the member
	Member identity.Key // the member's key; equal to Key for the primary identity itself, if that is the key
	Exited bool
	Since  int64 // member since
	Seen   int64 // last brought by a run
	At     int64 // when it exited, 0 while a member
	// Erased means that nothing of the membership stays, not even that it was one. The times say nothing then.
	Erased bool
}

// ChangeReader reads changes in the order of (Key, Member). Next returns io.EOF after the last one.
type ChangeReader interface {
	Next() (Change, error)
	io.Closer
}

// Delta is all that a run changes: parts with disjoint, ascending ranges of keys, each sorted and without
// two changes of the same (Key, Member). Parts may be read at the same time.
type Delta interface {
	Parts() int
	Open(ctx context.Context, part int) (ChangeReader, error)
	// Count is the number of changes in all parts.
	Count() int64
	// Base is the pointer that the changes lead on from; false when that is not known.
	Base() (Pointer, bool)
}

// Pointer is how far an audience's projection has come.
type Pointer struct {
	Seq         int64 // sequence number of the last run applied, 0 when none
	RefreshedAt int64 // epoch seconds at which a full run last brought every member, or their time was extended; 0 when neither was
	// Run is the run that was applied last. "" when none was, or when a version of Roster before this field applied it.
	Run audience.RunID
}

// Same reports whether two pointers are at the same run.
func (p Pointer) Same(o Pointer) bool {
	return p.Seq == o.Seq && (p.Run == o.Run || p.Run == "" || o.Run == "")
}

// Errors of a Store.
var (
	// ErrBase is returned by Apply when the pointer is not at the delta's base: something is missing or foreign. The audience is
	// to be projected anew by Replace.
	ErrBase = errors.New("profile: the projection is not at the run that the changes follow")
	// ErrRebuilding is returned by Lookup when the memberships of an audience of the sandbox are not to be believed, and by
	// everything while a damaged store is being replaced by an empty one.
	ErrRebuilding = errors.New("profile: memberships are being rebuilt")
	// ErrDamaged is returned when the store's files are not what was written.
	ErrDamaged = errors.New("profile: the store is damaged")
)

// Digest sums the current memberships of an audience up.
type Digest struct {
	Pointer Pointer
	Count   int64  // identities of current members
	Sum     uint64 // of Hash of each, modulo 2^64
}

// Hash is what a current membership adds to a digest.
func (c *Change) Hash() uint64 {
	var b [16 + 16 + 8]byte
	copy(b[:], c.Key[:])
	copy(b[16:], c.Member[:])
	binary.LittleEndian.PutUint64(b[32:], uint64(c.Since))
	return xxh3.Hash(b[:])
}

// Membership is one audience of a looked-up identity, as stored. Whether it is realized, exited or gone is
// decided by the reader, who knows the TTL: it expires TTL after the later of Seen and the audience's
// Pointer.RefreshedAt (unless Exited).
type Membership struct {
	Audience    uint32
	Member      identity.Key // the member's key
	Primary     bool         // the identity is the primary one of a member, whose key it is
	Exited      bool
	Since       int64
	Seen        int64
	At          int64
	RefreshedAt int64 // the audience's Pointer.RefreshedAt
}

// Store keeps memberships.
type Store interface {
	// Apply applies a run's delta and moves the audience's pointer to p. It does nothing when the pointer already is at p;
	// without p.Run, at p.Seq or later. ErrBase when the pointer is not at the delta's base. After an error or a crash at any instant the same call again completes it.
	// Once it returns nil the changes survive a crash of the machine.
	Apply(ctx context.Context, ref Ref, p Pointer, d Delta) error
	// Pointer returns the audience's pointer, the zero value when nothing was applied.
	Pointer(ctx context.Context, ref Ref) (Pointer, error)
	// Pointers returns the pointers of all audiences.
	Pointers(ctx context.Context) (map[Ref]Pointer, error)
	// Distrust says that the memberships of an audience are not to be believed until Replace or Drop has ended. Look-ups in progress
	// have ended when it returns.
	Distrust(ref Ref)
	// Distrusted lists the audiences of Distrust.
	Distrusted() []Ref
	// Replace puts the changes of d in the place of all memberships of the audience and moves its pointer to p. It distrusts the
	// audience until it has ended well. After an error or a crash the pointer is absent.
	Replace(ctx context.Context, ref Ref, p Pointer, d Delta) error
	// Digests sums up the current memberships of all audiences, as of one moment. It reads the whole store.
	Digests(ctx context.Context) (map[Ref]Digest, error)
	// Lookup returns the memberships of each key in the sandbox, in the order of the keys; nil for an unknown
	// one. An audience appears once per key: when several members share an identity, a current member wins over
	// an exited one, of current ones the later Seen, of exited ones the later At.
	Lookup(ctx context.Context, sandbox uint32, keys []identity.Key) ([][]Membership, error)
	// Sharing calls fn with all memberships of a key in the sandbox: unlike Lookup with one for each member that has the identity. An error
	// of fn ends it and is returned as it is.
	Sharing(ctx context.Context, sandbox uint32, key identity.Key, fn func(Membership) error) error
	// Drop removes everything of an audience. It may take long; it can be repeated after a crash.
	Drop(ctx context.Context, ref Ref) error
	// Forget removes what a look-up of an identity of the sandbox would find, in all audiences. It survives a crash of
	// the machine.
	Forget(ctx context.Context, sandbox uint32, key identity.Key) error
	// ForgetMembers removes what there is, under all of their identities, of the members whose key is key, in
	// all audiences of the sandbox, and of the other members. It may take long; it can be repeated after a crash.
	ForgetMembers(ctx context.Context, sandbox uint32, key identity.Key, others []Member) error
	// Sweep removes the memberships that exited before that time, in epoch seconds, and says how many they were.
	// It is safe beside everything else.
	Sweep(ctx context.Context, before int64) (removed int64, err error)
	// Close releases the store. It is safe to call twice.
	Close() error
}

// Expiry returns when the membership ends, for an audience with the given TTL.
func (m Membership) Expiry(ttl time.Duration) time.Time {
	return time.UnixMicro(audience.ExpiryOf(ttl, time.Unix(m.RefreshedAt, 0)).At(time.Unix(m.Seen, 0).UnixMicro()))
}
