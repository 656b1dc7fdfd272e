package pebble

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/profile"
	"roster/internal/profile/profiletest"
)

func open(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestSuite(t *testing.T) {
	t.Parallel()
	profiletest.Run(t, func(t *testing.T) profile.Store { return open(t, filepath.Join(t.TempDir(), "p"), Options{}) })
}

func changes(n int) []profile.Change {
	list := make([]profile.Change, n)
	for i := range list {
		list[i] = profile.Change{Key: profiletest.Key(i), Member: profiletest.Key(i), Since: 9, Seen: 9}
	}
	return list
}

// TestCrash drops everything that is not synced when Apply has returned. The applied changes survive.
func TestCrash(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int{"a batch": 100, "sorted tables": smallDelta + 1000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fs := vfs.NewCrashableMem()
			s := open(t, "p", Options{FS: fs})
			ref := profile.Ref{Sandbox: 1, Audience: 1}
			if err := s.Apply(t.Context(), ref, profile.Pointer{Seq: 1}, profiletest.NewDelta(2, changes(n)...)); err != nil {
				t.Fatal(err)
			}
			after := open(t, "p", Options{FS: fs.CrashClone(vfs.CrashCloneCfg{})})
			if p, err := after.Pointer(t.Context(), ref); err != nil || p.Seq != 1 {
				t.Fatalf("%+v %v", p, err)
			}
			got, err := after.Lookup(t.Context(), 1, []identity.Key{profiletest.Key(0), profiletest.Key(n - 1)})
			if err != nil || len(got[0]) != 1 || len(got[1]) != 1 {
				t.Fatalf("%+v %v", got, err)
			}
		})
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "p")
	s := open(t, dir, Options{})
	ref := profile.Ref{Sandbox: 1, Audience: 1}
	if err := s.Apply(t.Context(), ref, profile.Pointer{Seq: 1}, profiletest.NewDelta(1, changes(smallDelta+1)...)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error("closing twice:", err)
	}
	s = open(t, dir, Options{})
	if got, err := s.Lookup(t.Context(), 1, []identity.Key{profiletest.Key(smallDelta)}); err != nil || len(got[0]) != 1 {
		t.Fatalf("%+v %v", got, err)
	}
}

func BenchmarkLookup(b *testing.B) {
	const n = 1_000_000
	s := open(b, filepath.Join(b.TempDir(), "p"), Options{})
	if err := s.Apply(b.Context(), profile.Ref{Sandbox: 1, Audience: 1}, profile.Pointer{Seq: 1}, profiletest.NewDelta(2, changes(n)...)); err != nil {
		b.Fatal(err)
	}
	for name, from := range map[string]uint64{"member": 0, "stranger": n} {
		b.Run(name, func(b *testing.B) {
			key := make([]identity.Key, 1)
			i := uint64(0)
			for b.Loop() {
				i = (i*6364136223846793005 + 1442695040888963407)
				key[0] = identity.KeyOf("test", binary.BigEndian.AppendUint64(nil, from+i%n))
				if _, err := s.Lookup(b.Context(), 1, key); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func runID(num uint32, seq int64) audience.RunID {
	return audience.RunID(fmt.Sprintf("run-%d-%d", num, seq))
}
