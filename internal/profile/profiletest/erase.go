package profiletest

import (
	"testing"

	"roster/internal/identity"
	"roster/internal/profile"
)

// found is how many memberships each of the keys has.
func found(t *testing.T, s profile.Store, sandbox uint32, keys ...identity.Key) (n []int) {
	t.Helper()
	for _, list := range lookUp(t, s, sandbox, keys...) {
		n = append(n, len(list))
	}
	return n
}

func want(t *testing.T, got []int, want ...int) {
	t.Helper()
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("the keys have %v memberships, want %v", got, want)
		}
	}
}

// testErase takes memberships out without a trace, by a small delta and by one that is written in tables.
func testErase(t *testing.T, s profile.Store) {
	const many = 30_000
	var enters, erases []profile.Change
	for n := range many {
		enters = append(enters, enter(n, 100))
		if n%2 == 0 {
			erases = append(erases, profile.Change{Key: Key(n), Member: Key(n), Erased: true})
		} else {
			erases = append(erases, exit(n, 100, 200))
		}
	}
	small, large := profile.Ref{Sandbox: 1, Audience: 1}, profile.Ref{Sandbox: 1, Audience: 2}
	apply(t, s, small, 1, 0, NewDelta(1, enters[:10]...))
	apply(t, s, large, 1, 0, NewDelta(2, enters...))
	apply(t, s, small, 2, 0, NewDelta(1, erases[:10]...))
	want(t, found(t, s, 1, Key(0), Key(1)), 1, 2)
	apply(t, s, large, 2, 0, NewDelta(2, erases...))
	want(t, found(t, s, 1, Key(0), Key(1), Key(many-2), Key(many-1)), 0, 2, 0, 1)
	apply(t, s, large, 3, 0, NewDelta(1, enter(0, 300)))
	want(t, found(t, s, 1, Key(0)), 1)
}

// testRemoveIdentity removes an identity at once, and members under all of their identities.
func testRemoveIdentity(t *testing.T, s profile.Store) {
	phone := func(n, member int) profile.Change {
		return profile.Change{Key: Key(1000 + n), Member: Key(member), Since: 100, Seen: 100}
	}
	for audience := range uint32(2) {
		apply(t, s, profile.Ref{Sandbox: 1, Audience: audience}, 1, 0, NewDelta(1, enter(1, 100), enter(2, 100), exit(3, 100, 200), phone(1, 1), phone(2, 2), phone(3, 3)))
	}
	apply(t, s, profile.Ref{Sandbox: 2, Audience: 9}, 1, 0, NewDelta(1, enter(1, 100), phone(1, 1)))
	for range 2 {
		if err := s.RemoveIdentities(t.Context(), 1, []identity.Key{Key(1001), Key(1999)}); err != nil {
			t.Fatal(err)
		}
		want(t, found(t, s, 1, Key(1001), Key(1), Key(1002), Key(2)), 0, 2, 2, 2)
	}
	for range 2 {
		if err := s.RemoveMembers(t.Context(), 1, []identity.Key{Key(3), Key(99)}, []profile.Member{{Audience: 1, Key: Key(1)}}); err != nil {
			t.Fatal(err)
		}
		want(t, found(t, s, 1, Key(1), Key(1002), Key(2), Key(3), Key(1003)), 1, 2, 2, 0, 0)
	}
	want(t, found(t, s, 2, Key(1), Key(1001)), 1, 1)
	if p, err := s.Pointer(t.Context(), profile.Ref{Sandbox: 1, Audience: 1}); err != nil || p.Seq != 1 {
		t.Errorf("%+v %v", p, err)
	}
}
