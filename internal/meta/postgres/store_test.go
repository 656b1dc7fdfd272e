package postgres_test

import (
	"strings"
	"sync"
	"testing"

	"roster/internal/meta"
	"roster/internal/meta/metatest"
	"roster/internal/meta/postgres"
)

func TestStore(t *testing.T) {
	t.Parallel()
	metatest.Run(t, func(t *testing.T) meta.Store {
		s, err := postgres.Open(t.Context(), metatest.PostgresURL(t))
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// TestConcurrentOpen opens the stores of several processes on one empty schema at the same time.
func TestConcurrentOpen(t *testing.T) {
	t.Parallel()
	url := metatest.PostgresURL(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := postgres.Open(t.Context(), url)
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	wg.Wait()
}

func TestOpenHidesThePassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://user:s3cret@127.0.0.1:1/db?sslmode=disable&connect_timeout=1",
		"postgres://user:s3cret@127.0.0.1:port/db",
		"postgres://user:s3cret%zz@127.0.0.1/db",
	} {
		if _, err := postgres.Open(t.Context(), url); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error is %v", err)
		}
	}
}
