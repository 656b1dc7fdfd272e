package local_test

import (
	"testing"

	"roster/internal/blob"
	"roster/internal/blob/blobtest"
	"roster/internal/blob/faulty"
	"roster/internal/blob/local"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(string) (*local.Store, error){
		"own":      local.Open,
		"confined": func(dir string) (*local.Store, error) { return local.OpenConfined(dir, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			blobtest.Run(t, func(t *testing.T) blob.Store {
				s, err := open(t.TempDir())
				if err != nil {
					t.Fatal(err)
				}
				return s
			})
		})
	}
	t.Run("below", func(t *testing.T) {
		t.Parallel()
		blobtest.Run(t, func(t *testing.T) blob.Store {
			s, err := local.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			return faulty.New(s.Below("a/b"), "local", func(string) error { return nil })
		})
	})
}
