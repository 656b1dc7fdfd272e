package postgres_test

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"sync/atomic"
	"testing"

	"roster/internal/meta"
	"roster/internal/meta/metatest"
	"roster/internal/meta/postgres"
)

var schemas atomic.Int64

// fresh returns the URL of an empty schema of its own.
func fresh(t *testing.T) string {
	t.Helper()
	base := os.Getenv("ROSTER_TEST_POSTGRES_URL")
	if base == "" {
		t.Skip("set ROSTER_TEST_POSTGRES_URL to the URL of an empty PostgreSQL database to run this test")
	}
	db, err := sql.Open("pgx", base)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	name := fmt.Sprintf("test_%d_%d", os.Getpid(), schemas.Add(1))
	if _, err := db.Exec(`CREATE SCHEMA ` + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		db, err := sql.Open("pgx", base)
		if err == nil {
			db.Exec(`DROP SCHEMA ` + name + ` CASCADE`)
			db.Close()
		}
	})
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

func TestSuite(t *testing.T) {
	t.Parallel()
	metatest.Run(t, func(t *testing.T) meta.Store {
		s, err := postgres.Open(t.Context(), fresh(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	})
}
