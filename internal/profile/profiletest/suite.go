// Package profiletest is the suite that every engine of the profile store passes.
package profiletest

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"roster/internal/identity"
	"roster/internal/profile"
)

// Run runs the suite; open returns a fresh, empty store for each test.
func Run(t *testing.T, open func(t *testing.T) profile.Store) {
	for name, test := range map[string]func(*testing.T, profile.Store){
		"apply and look up":         testApply,
		"idempotence":               testIdempotence,
		"shared identity":           testShared,
		"many audiences":            testManyAudiences,
		"sandboxes":                 testSandboxes,
		"a reader that fails":       testFailingDelta,
		"remove audience":           testRemoveAudience,
		"erase":                     testErase,
		"remove identity":           testRemoveIdentity,
		"remove exited":             testRemoveExited,
		"remove exited beside runs": testRemoveExitedBeside,
		"large delta, in parts":     testLarge,
		"against a model":           testModel,
		"base":                      testBase,
		"replace":                   testReplace,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// Delta is a delta in memory: parts of sorted changes. FailAt, when positive, makes the reader of the last part
// fail at that change.
type Delta struct {
	Changes [][]profile.Change
	FailAt  int
	After   *profile.Pointer // the base
}

var _ profile.Delta = Delta{}

// NewDelta sorts changes and divides them into parts.
func NewDelta(parts int, changes ...profile.Change) Delta {
	slices.SortFunc(changes, func(a, b profile.Change) int {
		return cmp.Or(slices.Compare(a.Key[:], b.Key[:]), slices.Compare(a.Member[:], b.Member[:]))
	})
	var d Delta
	for i := range parts {
		from, to := i*len(changes)/parts, (i+1)*len(changes)/parts
		for from > 0 && from < len(changes) && changes[from].Key == changes[from-1].Key {
			from++
		}
		for to > 0 && to < len(changes) && changes[to].Key == changes[to-1].Key {
			to++
		}
		d.Changes = append(d.Changes, changes[min(from, to):to])
	}
	return d
}

// Parts implements profile.Delta.
func (d Delta) Parts() int { return len(d.Changes) }

// Count implements profile.Delta.
func (d Delta) Count() (n int64) {
	for _, p := range d.Changes {
		n += int64(len(p))
	}
	return n
}

// Base implements profile.Delta.
func (d Delta) Base() (profile.Pointer, bool) {
	if d.After == nil {
		return profile.Pointer{}, false
	}
	return *d.After, true
}

// ErrDelta is what a failing delta's reader returns.
var ErrDelta = errors.New("profiletest: the delta cannot be read")

// Open implements profile.Delta.
func (d Delta) Open(_ context.Context, part int) (profile.ChangeReader, error) {
	r := &reader{changes: d.Changes[part]}
	if part == len(d.Changes)-1 {
		r.failAt = d.FailAt
	}
	return r, nil
}

type reader struct {
	changes []profile.Change
	at      int
	failAt  int
}

func (r *reader) Next() (profile.Change, error) {
	if r.failAt > 0 && r.at == r.failAt {
		return profile.Change{}, ErrDelta
	}
	if r.at == len(r.changes) {
		return profile.Change{}, io.EOF
	}
	r.at++
	return r.changes[r.at-1], nil
}

func (r *reader) Close() error { return nil }

// Key returns the n-th of a series of keys that lie all over the range.
func Key(n int) identity.Key {
	return identity.KeyOf("test", binary.BigEndian.AppendUint64(nil, uint64(n)))
}

func enter(n int, at int64) profile.Change {
	return profile.Change{Key: Key(n), Member: Key(n), Since: at, Seen: at}
}

func exit(n int, since, at int64) profile.Change {
	return profile.Change{Key: Key(n), Member: Key(n), Since: since, Seen: since, Exited: true, At: at}
}

func apply(t *testing.T, s profile.Store, ref profile.Ref, seq, refreshed int64, d profile.Delta) {
	t.Helper()
	if err := s.Apply(t.Context(), ref, profile.Pointer{Seq: seq, RefreshedAt: refreshed}, d); err != nil {
		t.Fatal(err)
	}
}

func lookUp(t *testing.T, s profile.Store, sandbox uint32, keys ...identity.Key) [][]profile.Membership {
	t.Helper()
	got, err := s.Lookup(t.Context(), sandbox, keys)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(keys) {
		t.Fatalf("%d answers to %d keys", len(got), len(keys))
	}
	return got
}

func testApply(t *testing.T, s profile.Store) {
	ref := profile.Ref{Sandbox: 1, Audience: 2}
	if p, err := s.Pointer(t.Context(), ref); err != nil || p != (profile.Pointer{}) {
		t.Fatalf("%+v %v", p, err)
	}
	apply(t, s, ref, 1, 0, NewDelta(1, enter(1, 100), enter(2, 100)))
	apply(t, s, ref, 2, 150, NewDelta(1, exit(2, 100, 200)))
	got := lookUp(t, s, 1, Key(2), Key(3), Key(1))
	want := profile.Membership{Audience: 2, Member: Key(1), Primary: true, Since: 100, Seen: 100, RefreshedAt: 150}
	if len(got[2]) != 1 || got[2][0] != want {
		t.Errorf("%+v", got[2])
	}
	if end := want.Expiry(time.Hour); end.Unix() != 150+3600 {
		t.Errorf("expiry %v", end)
	}
	want.Member, want.Exited, want.At = Key(2), true, 200
	if len(got[0]) != 1 || got[0][0] != want {
		t.Errorf("%+v", got[0])
	}
	if got[1] != nil {
		t.Errorf("a stranger: %+v", got[1])
	}
	if p, err := s.Pointer(t.Context(), ref); err != nil || p != (profile.Pointer{Seq: 2, RefreshedAt: 150}) {
		t.Errorf("%+v %v", p, err)
	}
	apply(t, s, ref, 3, 300, NewDelta(0))
	if got := lookUp(t, s, 1, Key(1)); got[0][0].RefreshedAt != 300 {
		t.Errorf("an empty delta did not move the pointer: %+v", got)
	}
}

func testIdempotence(t *testing.T, s profile.Store) {
	ref := profile.Ref{Sandbox: 1, Audience: 2}
	apply(t, s, ref, 5, 0, NewDelta(1, enter(1, 100)))
	apply(t, s, ref, 5, 0, NewDelta(1, exit(1, 1, 1)))
	apply(t, s, ref, 4, 0, NewDelta(1, exit(1, 1, 1)))
	if got := lookUp(t, s, 1, Key(1)); got[0][0].Exited {
		t.Error("a delta was applied out of order")
	}
}

// sharing returns all memberships of a key.
func sharing(t *testing.T, s profile.Store, sandbox uint32, key identity.Key) (all []profile.Membership, err error) {
	err = s.Sharing(t.Context(), sandbox, key, func(m profile.Membership) error { all = append(all, m); return nil })
	return all, err
}

func testShared(t *testing.T, s profile.Store) {
	ref := profile.Ref{Sandbox: 1, Audience: 2}
	phone := Key(99)
	shared := func(member int, seen int64, exited bool) profile.Change {
		return profile.Change{Key: phone, Member: Key(member), Since: seen, Seen: seen, Exited: exited, At: map[bool]int64{true: seen + 1}[exited]}
	}
	apply(t, s, ref, 1, 0, NewDelta(1, shared(1, 100, false), shared(2, 200, false), shared(3, 300, true)))
	if got := lookUp(t, s, 1, phone)[0]; len(got) != 1 || got[0].Seen != 200 || got[0].Member != Key(2) || got[0].Primary || got[0].Exited {
		t.Fatalf("%+v", got)
	}
	apply(t, s, profile.Ref{Sandbox: 1, Audience: 3}, 1, 500, NewDelta(1, shared(2, 100, false)))
	all, err := sharing(t, s, 1, phone)
	for _, m := range []profile.Membership{{Audience: 2, Member: Key(1), Since: 100, Seen: 100}, {Audience: 2, Member: Key(2), Since: 200, Seen: 200},
		{Audience: 2, Member: Key(3), Since: 300, Seen: 300, Exited: true, At: 301}, {Audience: 3, Member: Key(2), Since: 100, Seen: 100, RefreshedAt: 500}} {
		if err != nil || len(all) != 4 || !slices.Contains(all, m) {
			t.Fatalf("%+v is not in %+v, %v", m, all, err)
		}
	}
	if none, err := sharing(t, s, 2, phone); err != nil || len(none) > 0 {
		t.Fatalf("%+v %v", none, err)
	}
	apply(t, s, profile.Ref{Sandbox: 1, Audience: 3}, 2, 500, NewDelta(1, profile.Change{Key: phone, Member: Key(2), Erased: true}))
	apply(t, s, ref, 2, 0, NewDelta(1, shared(2, 200, true)))
	if got := lookUp(t, s, 1, phone)[0]; len(got) != 1 || got[0].Seen != 100 || got[0].Member != Key(1) || got[0].Exited {
		t.Fatalf("%+v", got)
	}
	// Of those who left the one who left last is shown, for as long as anybody is.
	left := shared(1, 100, true)
	left.At = 1000
	apply(t, s, ref, 3, 0, NewDelta(1, left))
	if got := lookUp(t, s, 1, phone)[0]; len(got) != 1 || got[0].Member != Key(1) || got[0].At != 1000 || !got[0].Exited {
		t.Fatalf("%+v", got)
	}
}

func testManyAudiences(t *testing.T, s profile.Store) {
	for a := uint32(1); a <= 300; a++ {
		apply(t, s, profile.Ref{Sandbox: 1, Audience: a}, 1, 0, NewDelta(1, enter(1, int64(a)), enter(int(a)+1000, 1)))
	}
	got := lookUp(t, s, 1, Key(1), Key(1001))
	if len(got[0]) != 300 || len(got[1]) != 1 {
		t.Fatalf("%d and %d audiences", len(got[0]), len(got[1]))
	}
	seen := map[uint32]bool{}
	for _, m := range got[0] {
		if m.Seen != int64(m.Audience) || seen[m.Audience] {
			t.Fatalf("%+v", m)
		}
		seen[m.Audience] = true
	}
}

func testSandboxes(t *testing.T, s profile.Store) {
	apply(t, s, profile.Ref{Sandbox: 1, Audience: 1}, 1, 0, NewDelta(1, enter(1, 1)))
	apply(t, s, profile.Ref{Sandbox: 2, Audience: 2}, 1, 0, NewDelta(1, enter(2, 1)))
	got := lookUp(t, s, 1, Key(1), Key(2))
	if len(got[0]) != 1 || got[1] != nil {
		t.Fatalf("%+v", got)
	}
}

func testFailingDelta(t *testing.T, s profile.Store) {
	ref := profile.Ref{Sandbox: 1, Audience: 1}
	const n = 50_000
	var changes []profile.Change
	for i := range n {
		changes = append(changes, enter(i, 7))
	}
	d := NewDelta(2, changes...)
	d.FailAt = 20_000
	if err := s.Apply(t.Context(), ref, profile.Pointer{Seq: 1}, d); !errors.Is(err, ErrDelta) {
		t.Fatal(err)
	}
	if p, _ := s.Pointer(t.Context(), ref); p.Seq != 0 {
		t.Fatal("the pointer moved")
	}
	d.FailAt = 0
	apply(t, s, ref, 1, 0, d)
	for _, i := range []int{0, n / 2, n - 1} {
		if got := lookUp(t, s, 1, Key(i)); len(got[0]) != 1 {
			t.Errorf("%d is missing", i)
		}
	}
}

func testRemoveAudience(t *testing.T, s profile.Store) {
	gone, stays := profile.Ref{Sandbox: 1, Audience: 1}, profile.Ref{Sandbox: 1, Audience: 2}
	var changes []profile.Change
	for i := range 3000 {
		changes = append(changes, enter(i, 7))
	}
	apply(t, s, gone, 3, 9, NewDelta(1, changes...))
	apply(t, s, stays, 1, 0, NewDelta(1, changes...))
	for range 2 {
		if err := s.RemoveAudience(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3000 {
		if got := lookUp(t, s, 1, Key(i))[0]; len(got) != 1 || got[0].Audience != 2 {
			t.Fatalf("%+v", got)
		}
	}
	if p, _ := s.Pointer(t.Context(), gone); p != (profile.Pointer{}) {
		t.Errorf("%+v", p)
	}
}

func testRemoveExited(t *testing.T, s profile.Store) {
	if n, err := s.RemoveExited(t.Context(), 1000); n != 0 || err != nil {
		t.Fatalf("an empty store: %d %v", n, err)
	}
	for sandbox := uint32(1); sandbox <= 2; sandbox++ {
		for aud := uint32(1); aud <= 2; aud++ {
			ref := profile.Ref{Sandbox: sandbox, Audience: aud}
			apply(t, s, ref, 1, 0, NewDelta(2, enter(1, 100), exit(2, 100, 199), exit(3, 100, 200)))
		}
	}
	if n, err := s.RemoveExited(t.Context(), 200); n != 4 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	for sandbox := uint32(1); sandbox <= 2; sandbox++ {
		got := lookUp(t, s, sandbox, Key(1), Key(2), Key(3))
		if len(got[0]) != 2 || len(got[1]) != 0 || len(got[2]) != 2 {
			t.Fatalf("%+v", got)
		}
	}
	apply(t, s, profile.Ref{Sandbox: 1, Audience: 1}, 2, 0, NewDelta(1, enter(2, 300))) // who was swept comes back
	if got := lookUp(t, s, 1, Key(2)); len(got[0]) != 1 || got[0][0].Exited {
		t.Fatalf("%+v", got)
	}
}

// testRemoveExitedBeside removes exited memberships while runs renew them: nobody may be lost.
func testRemoveExitedBeside(t *testing.T, s profile.Store) {
	const people, rounds = 2000, 8
	ref := profile.Ref{Sandbox: 1, Audience: 1}
	out, in := make([]profile.Change, people), make([]profile.Change, people)
	for i := range people {
		out[i], in[i] = exit(i, 100, 150), enter(i, 300)
	}
	done := make(chan error, 1)
	for round := range int64(rounds) {
		apply(t, s, ref, 2*round+1, 0, NewDelta(1, out...))
		go func() {
			_, err := s.RemoveExited(t.Context(), 200)
			done <- err
		}()
		apply(t, s, ref, 2*round+2, 0, NewDelta(1, in...))
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		for i, m := range lookUp(t, s, 1, keysOf(in)...) {
			if len(m) != 1 || m[0].Exited {
				t.Fatalf("round %d: %d is lost: %+v", round, i, m)
			}
		}
	}
}

func keysOf(changes []profile.Change) []identity.Key {
	keys := make([]identity.Key, len(changes))
	for i, c := range changes {
		keys[i] = c.Key
	}
	return keys
}

func testLarge(t *testing.T, s profile.Store) {
	const n = 200_000
	ref := profile.Ref{Sandbox: 1, Audience: 1}
	first := make([]profile.Change, n)
	for i := range first {
		first[i] = enter(i, 5)
	}
	apply(t, s, ref, 1, 0, NewDelta(4, first...))
	second := make([]profile.Change, 0, n/2)
	for i := range n / 2 {
		second = append(second, exit(2*i, 5, 6))
	}
	apply(t, s, ref, 2, 0, NewDelta(3, second...))
	keys := make([]identity.Key, n+1)
	for i := range keys {
		keys[i] = Key(i)
	}
	for i, m := range lookUp(t, s, 1, keys...) {
		switch {
		case i == n && m == nil:
		case i < n && len(m) == 1 && m[0].Exited == (i%2 == 0):
		default:
			t.Fatalf("%d: %+v", i, m)
		}
	}
}

func testModel(t *testing.T, s profile.Store) {
	rnd := rand.New(rand.NewPCG(1, 2))
	type id struct {
		aud uint32
		n   int
	}
	model := map[id]profile.Change{}
	seq := map[uint32]int64{}
	for round := range 40 {
		aud := uint32(rnd.IntN(3) + 1)
		changes := map[int]profile.Change{}
		for range rnd.IntN(200) {
			n := rnd.IntN(150)
			if rnd.IntN(3) == 0 {
				changes[n] = exit(n, int64(round), int64(round+1))
			} else {
				changes[n] = enter(n, int64(round))
			}
		}
		var list []profile.Change
		for n, c := range changes {
			list = append(list, c)
			model[id{aud, n}] = c
		}
		seq[aud]++
		apply(t, s, profile.Ref{Sandbox: 1, Audience: aud}, seq[aud], 0, NewDelta(1, list...))
	}
	for n := range 150 {
		got := map[uint32]profile.Membership{}
		for _, m := range lookUp(t, s, 1, Key(n))[0] {
			got[m.Audience] = m
		}
		for aud := uint32(1); aud <= 3; aud++ {
			c, want := model[id{aud, n}]
			m, have := got[aud]
			if want != have || (have && (m.Exited != c.Exited || m.Seen != c.Seen || m.At != c.At)) {
				t.Fatalf("%d in %d: %+v, want %+v", n, aud, m, c)
			}
		}
	}
}
