package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roster/internal/meta/metatest"
)

// TestDatabaseOfAnotherDirectory starts on a database again and again: its own data directory may, wherever it lies by then,
// another one may not.
func TestDatabaseOfAnotherDirectory(t *testing.T) {
	t.Parallel()
	url := metatest.PostgresURL(t)
	start := func(dir string) error {
		a, err := New(t.Context(), Config{DataDir: dir, DatabaseURL: url})
		if err != nil {
			return err
		}
		return a.Stop(t.Context())
	}
	first, other := t.TempDir(), t.TempDir()
	for range 2 {
		if err := start(first); err != nil {
			t.Fatal(err)
		}
	}
	err := start(other)
	if err == nil || !strings.Contains(err.Error(), "belongs to another data directory") || !strings.Contains(err.Error(), filepath.Join(other, "id")) {
		t.Fatalf("another data directory: %v", err)
	}
	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.Rename(first, moved); err != nil {
		t.Fatal(err)
	}
	if err := start(moved); err != nil {
		t.Errorf("moved: %v", err)
	}
	if err := os.WriteFile(filepath.Join(moved, "id"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := start(moved); err == nil || !strings.Contains(err.Error(), "does not contain the id") {
		t.Errorf("with an empty id: %v", err)
	}
}
