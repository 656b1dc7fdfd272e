package ingest_test

import (
	"os"
	"path/filepath"
	"testing"

	"roster/internal/ingest"
)

// TestClearScratch clears a directory whose name contains characters of glob patterns. Files that are not scratch files
// stay.
func TestClearScratch(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "[a*")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"spill-1", "spill-2", "mine"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := ingest.ClearScratch(dir); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "mine" {
		t.Errorf("left: %v, %v", left, err)
	}
}
