package source_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"roster/internal/source"
	"roster/internal/source/sourcetest"
)

func TestLocalConformance(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, func(t *testing.T) sourcetest.World {
		root := t.TempDir()
		s, err := source.OpenLocal(root, nil)
		if err != nil {
			t.Fatal(err)
		}
		return sourcetest.World{Store: s,
			Put: func(t *testing.T, path string, content []byte) {
				t.Helper()
				path = filepath.Join(root, path)
				tmp := filepath.Join(root, ".tmp")
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(tmp, content, 0o600), os.Rename(tmp, path)); err != nil {
					t.Fatal(err)
				}
			},
			Remove: func(t *testing.T, path string) {
				t.Helper()
				if err := os.Remove(filepath.Join(root, path)); err != nil {
					t.Fatal(err)
				}
			}}
	})
}
