// Package ingesttest runs the pipeline on real engines in a temporary directory, for black-box tests: files go in,
// members, datasets, ledgers and rejects come out.
package ingesttest

import (
	"cmp"
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "modernc.org/sqlite"

	"roster/internal/audience"
	"roster/internal/blob/local"
	"roster/internal/ingest"
	"roster/internal/lake"
	"roster/internal/profile"
	"roster/internal/profile/pebble"
)

// sandbox is the number of the only sandbox.
const sandbox = 3

// Engines are a lake and a profile store, which the audiences of a test share. They are safe for concurrent use.
type Engines struct {
	lake      *lake.Lake
	profile   profile.Store
	scratch   string
	audiences atomic.Uint32
}

// Open opens engines for the time of the test and its subtests.
func Open(t *testing.T) *Engines {
	t.Helper()
	dir := t.TempDir()
	catalog, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "catalog.db")+"?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	catalog.SetMaxOpenConns(1)
	t.Cleanup(func() { catalog.Close() })
	disk, err := local.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	e := &Engines{scratch: filepath.Join(dir, "scratch")}
	if e.lake, err = lake.Open(t.Context(), lake.Config{Store: disk, Warehouse: filepath.Join(dir, "lake"), Catalog: catalog, Dialect: "sqlite"}); err != nil {
		t.Fatal(err)
	}
	if e.profile, err = pebble.Open(filepath.Join(dir, "profile"), pebble.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.profile.Close() })
	if err := os.Mkdir(e.scratch, 0o700); err != nil {
		t.Fatal(err)
	}
	return e
}

// Audience creates an audience with the fields, source, guards and TTL of a; the default TTL is 30 days. Only the
// goroutine of one test may use it.
func (e *Engines) Audience(t *testing.T, a audience.Audience) *Audience {
	t.Helper()
	a.ID, a.Num = audience.ID(uuid.NewString()), e.audiences.Add(1)
	a.Name, a.OriginName, a.ProfileIngestion = "people", audience.OriginUpload, true
	a.Source.CloudType, a.TTLDays = audience.CloudLanding, cmp.Or(a.TTLDays, audience.DefaultTTLDays)
	if err := audience.Validate(&a, audience.Rules{}); err != nil {
		t.Fatal(err)
	}
	w := &Audience{
		Audience: a, Now: time.Now().Truncate(time.Second).Add(time.Hour), t: t, engines: e,
		table: lake.TableID{Namespace: "org_prod", Name: string(a.ID)}, read: map[string]bool{},
	}
	w.Pipeline = ingest.Pipeline{Lake: e.lake, Profile: e.profile, Scratch: e.scratch, Workers: 2,
		Clock: func() time.Time { return w.Now }, Log: slog.New(slog.DiscardHandler)}
	if err := e.lake.Create(t.Context(), w.table, a.Name, a.Fields); err != nil {
		t.Fatal(err)
	}
	return w
}
