package pebble

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"roster/internal/identity"
	"roster/internal/profile"
	"roster/internal/profile/profiletest"
)

// content is the result of look-ups of the keys up to n, by audience, and the pointers.
type content struct {
	pointers map[profile.Ref]profile.Pointer
	members  map[uint32]string
}

func contentOf(t *testing.T, s *Store, n int) (c content, err error) {
	c.members = map[uint32]string{}
	if c.pointers, err = s.Pointers(t.Context()); err != nil {
		return c, err
	}
	keys := make([]identity.Key, n)
	for i := range keys {
		keys[i] = profiletest.Key(i)
	}
	found, err := s.Lookup(t.Context(), 1, keys)
	if err != nil {
		return c, err
	}
	texts := map[uint32]*strings.Builder{}
	for i, list := range found {
		for _, m := range list {
			if texts[m.Audience] == nil {
				texts[m.Audience] = &strings.Builder{}
			}
			fmt.Fprintln(texts[m.Audience], i, m)
		}
	}
	for num, text := range texts {
		c.members[num] = text.String()
	}
	return c, nil
}

// damagedStore fills a store with tables and with batches, so that it has several files of each kind.
func damagedStore(t *testing.T, dir string) (want content, n int) {
	t.Helper()
	n = smallDelta + 1000
	put := func(s *Store, audience uint32, seq int64, list []profile.Change) {
		t.Helper()
		p := profile.Pointer{Seq: seq, RefreshedAt: seq, Run: runID(audience, seq)}
		if err := s.Apply(t.Context(), profile.Ref{Sandbox: 1, Audience: audience}, p, profiletest.NewDelta(2, list...)); err != nil {
			t.Fatal(err)
		}
	}
	for round := int64(1); round <= 3; round++ {
		s := open(t, dir, Options{})
		put(s, 1, round, changes(n-int(round)))
		for a := uint32(2); a < 6; a++ {
			list := changes(200 * int(a))
			for i := range list {
				list[i].Since, list[i].Seen = round, round
			}
			put(s, a, round, list)
		}
		if round == 3 {
			var err error
			if want, err = contentOf(t, s, n); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return want, n
}

// Whatever the damage to any file is, a look-up is right or refused, or the pointer shows the damage.
func TestDamage(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	whole := filepath.Join(top, "whole")
	want, n := damagedStore(t, whole)
	entries, err := os.ReadDir(whole)
	if err != nil {
		t.Fatal(err)
	}
	noticed, right := 0, 0
	try := func(what string, damage func(dir string) error) {
		t.Helper()
		dir := filepath.Join(top, "damaged")
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		defer func() {
			for _, d := range must(filepath.Glob(dir + "*")) {
				os.RemoveAll(d)
			}
		}()
		if err := damage(dir); err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir, Options{})
		if err != nil {
			t.Errorf("%s: the store does not open: %v", what, err)
			return
		}
		defer s.Close()
		got, err := contentOf(t, s, n)
		if err != nil {
			noticed++
			awaitLost(t, s, what)
			return
		}
		for ref, p := range want.pointers {
			if got.pointers[ref] == p && got.members[ref.Audience] != want.members[ref.Audience] {
				t.Errorf("%s: audience %d is wrong, and its pointer does not tell", what, ref.Audience)
			}
		}
		if maps.Equal(got.pointers, want.pointers) {
			right++
		} else {
			noticed++
		}
	}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		name := e.Name()
		try(name+" removed", func(dir string) error { return os.Remove(filepath.Join(dir, name)) })
		for _, kind := range []string{"bit", "bit", "bit", "bit", "cut", "zero"} {
			at, bit := rand.Float64(), rand.IntN(8)
			try(fmt.Sprintf("%s: %s %d at %.5f", name, kind, bit, at), func(dir string) error {
				b, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil || len(b) == 0 {
					return err
				}
				i := int(at * float64(len(b)))
				switch kind {
				case "bit":
					b[i] ^= 1 << bit
				case "cut":
					b = b[:i]
				case "zero":
					clear(b[i:min(i+4096, len(b))])
				}
				return os.WriteFile(filepath.Join(dir, name), b, 0o600)
			})
		}
	}
	t.Logf("%d damages noticed, %d without effect", noticed, right)
	if noticed < 10 {
		t.Error("hardly any damage was noticed")
	}
}

// awaitLost waits until an empty engine has replaced the damaged one. Look-ups are refused until the pointers have been
// compared.
func awaitLost(t *testing.T, s *Store, what string) {
	t.Helper()
	select {
	case <-s.Lost():
	case <-time.After(time.Minute):
		t.Fatalf("%s: the damaged store is not replaced", what)
	}
	if _, err := s.Lookup(t.Context(), 1, []identity.Key{profiletest.Key(1)}); err == nil {
		t.Errorf("%s: an empty store answers", what)
	}
	if p, err := s.Pointers(t.Context()); err != nil || len(p) != 0 {
		t.Errorf("%s: %v %v", what, p, err)
	}
	s.Compared()
	if _, err := s.Lookup(t.Context(), 1, []identity.Key{profiletest.Key(1)}); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A store that another process has open is not damaged.
func TestLocked(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "p")
	open(t, dir, Options{})
	if s, err := Open(dir, Options{}); err == nil {
		s.Close()
		t.Error("a store opens twice")
	}
	if names := must(filepath.Glob(dir + "*")); !slices.Equal(names, []string{dir}) {
		t.Error(names)
	}
}
