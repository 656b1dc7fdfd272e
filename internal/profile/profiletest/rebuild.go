package profiletest

import (
	"errors"
	"testing"

	"roster/internal/identity"
	"roster/internal/profile"
)

// testBase applies deltas that follow on another one: not twice, and not on anything else.
func testBase(t *testing.T, s profile.Store) {
	ref := profile.Ref{Sandbox: 1, Audience: 1}
	first, second := profile.Pointer{Seq: 5, Run: "a"}, profile.Pointer{Seq: 6, Run: "b"}
	step := func(p profile.Pointer, after *profile.Pointer, c ...profile.Change) error {
		d := NewDelta(1, c...)
		d.After = after
		return s.Apply(t.Context(), ref, p, d)
	}
	if err := step(second, &first, enter(2, 6)); !errors.Is(err, profile.ErrBase) {
		t.Errorf("a delta without its base: %v", err)
	}
	if err := step(first, &profile.Pointer{}, enter(1, 5)); err != nil {
		t.Fatal(err)
	}
	if err := step(first, &profile.Pointer{}, enter(9, 5)); err != nil {
		t.Errorf("applied twice: %v", err)
	}
	if err := step(second, &profile.Pointer{Seq: 5, Run: "another"}, enter(2, 6)); !errors.Is(err, profile.ErrBase) {
		t.Errorf("a delta on another run of the same number: %v", err)
	}
	if err := step(second, &first, enter(2, 6)); err != nil {
		t.Error(err)
	}
	// The metadata came from an old backup: a later run may have a lower number.
	if err := step(profile.Pointer{Seq: 3, Run: "c"}, &second, enter(3, 7)); err != nil {
		t.Error(err)
	}
	if p, err := s.Pointer(t.Context(), ref); err != nil || p.Run != "c" {
		t.Errorf("%+v %v", p, err)
	}
	if got := found(t, s, 1, Key(1), Key(2), Key(3), Key(9)); got[0] != 1 || got[1] != 1 || got[2] != 1 || got[3] != 0 {
		t.Errorf("found %v", got)
	}
}

// testReplace puts other members in the place of all that there were, and distrusts the audience until then.
func testReplace(t *testing.T, s profile.Store) {
	ref, other := profile.Ref{Sandbox: 1, Audience: 1}, profile.Ref{Sandbox: 1, Audience: 2}
	apply(t, s, ref, 1, 0, NewDelta(1, enter(1, 9), enter(2, 9), exit(3, 8, 9)))
	apply(t, s, other, 1, 0, NewDelta(1, enter(1, 9)))
	apply(t, s, profile.Ref{Sandbox: 2, Audience: 3}, 1, 0, NewDelta(1, enter(1, 9)))
	s.Distrust(ref)
	if _, err := s.Lookup(t.Context(), 1, []identity.Key{Key(1)}); !errors.Is(err, profile.ErrRebuilding) {
		t.Errorf("a look-up beside a distrusted audience: %v", err)
	}
	if got := found(t, s, 2, Key(1)); got[0] != 1 {
		t.Error("another sandbox is refused")
	}
	p := profile.Pointer{Seq: 7, Run: "r", RefreshedAt: 70}
	if err := s.Replace(t.Context(), ref, p, Delta{Changes: NewDelta(1, enter(4, 1), enter(5, 1)).Changes, FailAt: 1}); !errors.Is(err, ErrDelta) {
		t.Fatal(err)
	}
	if refs := s.Distrusted(); len(refs) != 1 || refs[0] != ref {
		t.Errorf("distrusted: %v", refs)
	}
	if got, err := s.Pointer(t.Context(), ref); err != nil || got != (profile.Pointer{}) {
		t.Errorf("after a Replace that failed the pointer is %+v: %v", got, err)
	}
	if err := s.Replace(t.Context(), ref, p, NewDelta(1, enter(2, 20), enter(4, 21), exit(5, 8, 22))); err != nil {
		t.Fatal(err)
	}
	got := lookUp(t, s, 1, Key(1), Key(2), Key(3), Key(4), Key(5))
	if len(got[0]) != 1 || got[0][0].Audience != 2 || len(got[1]) != 1 || got[1][0].Since != 20 || got[1][0].RefreshedAt != 70 || len(got[2]) != 0 ||
		len(got[3]) != 1 || len(got[4]) != 1 || !got[4][0].Exited {
		t.Errorf("%+v", got)
	}
	pointers, err := s.Pointers(t.Context())
	if err != nil || len(pointers) != 3 || pointers[ref] != p {
		t.Errorf("%+v %v", pointers, err)
	}
	digests, err := s.Digests(t.Context())
	two, four := enter(2, 20), enter(4, 21)
	if d := digests[ref]; err != nil || d.Pointer != p || d.Count != 2 || d.Sum != two.Hash()+four.Hash() {
		t.Errorf("%+v %v", digests, err)
	}
	s.Distrust(other)
	if err := s.RemoveAudience(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if got := found(t, s, 1, Key(1)); got[0] != 0 {
		t.Errorf("found %v", got)
	}
}
