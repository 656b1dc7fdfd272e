package sqlite_test

import (
	"path/filepath"
	"testing"

	"roster/internal/meta"
	"roster/internal/meta/metatest"
	"roster/internal/meta/sqlite"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	metatest.Run(t, func(t *testing.T) meta.Store {
		s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "a b?.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	})
}

func TestReopen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "roster.db")
	for range 2 {
		s, err := sqlite.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error("closing twice:", err)
		}
	}
}
