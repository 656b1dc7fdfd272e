package ingesttest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/blob/local"
	"roster/internal/identity"
	"roster/internal/ingest"
	"roster/internal/lake"
	"roster/internal/profile"
)

// Audience is an audience whose runs a test starts.
type Audience struct {
	audience.Audience
	Pipeline ingest.Pipeline // may be tuned between runs
	Now      time.Time       // the time of the pipeline's clock

	t       *testing.T
	engines *Engines
	table   lake.TableID
	seq     int64
	read    map[string]bool // path and version of each object read
}

// Run runs a request on the files below the folder root and audits the result. The window ends after all files.
func (a *Audience) Run(root string, request audience.RunRequest) audience.Run {
	a.t.Helper()
	src, err := local.OpenConfined(root, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	defer src.Close()
	before := a.Rows()
	a.seq++
	request.WindowEnd = a.Now.Add(time.Hour)
	run, err := a.Pipeline.Run(a.t.Context(), ingest.Spec{
		Run: audience.Run{ID: audience.RunID(uuid.NewString()), AudienceID: a.ID, Seq: a.seq, Status: audience.Processing, CreatedAt: a.Now, Request: request,
			Stages: []audience.StageResult{{Stage: audience.StageDataset, Status: audience.Processing}, {Stage: audience.StageProfile, Status: audience.Processing}}},
		Audience: a.Audience, SandboxNum: sandbox, Table: a.table, Source: src,
		Host: host{a},
	})
	if err != nil {
		a.t.Fatal(err)
	}
	if run.Status == audience.Success && !request.DryRun && request.Kind == audience.RunIngest {
		for _, f := range run.Result.Files {
			if f.Status == audience.FileRead {
				a.read[f.Path+"\x00"+f.Version] = true
			}
		}
	}
	a.audit(run, before)
	return run
}

// host is the host of an audience's runs. Its checkpoints store nothing.
type host struct{ a *Audience }

// ReadBefore implements ingest.Host.
func (h host) ReadBefore(context.Context, []audience.PlannedFile) (map[string]bool, error) {
	return h.a.read, nil
}

// Fresh implements ingest.Host.
func (host) Fresh(context.Context, time.Time) (int64, error) { return 0, nil }

// Adopted implements ingest.Host. No other program changes the datasets of these tests.
func (host) Adopted(_ context.Context, r audience.Run) (int64, error) {
	return 0, fmt.Errorf("run %s adopted changes of another program", r.ID)
}

// Erased implements ingest.Host.
func (host) Erased(context.Context) (ingest.Erased, error) { return ingest.Erased{}, nil }

// Reading implements ingest.Host.
func (host) Reading(string) (done func()) { return func() {} }

// Save implements ingest.Host.
func (host) Save(context.Context, audience.Run) error { return nil }

// SaveProgress implements ingest.Host.
func (host) SaveProgress(context.Context, audience.RunID, audience.Progress) error { return nil }

// dataset loads the audience's dataset.
func (a *Audience) dataset() *lake.Dataset {
	a.t.Helper()
	d, err := a.Pipeline.Lake.Load(a.t.Context(), a.table)
	if err != nil {
		a.t.Fatal(err)
	}
	return d
}

// Forget makes the next differential run read every object again.
func (a *Audience) Forget() { clear(a.read) }

// Compact compacts the audience's files and reports whether there was anything to do.
func (a *Audience) Compact() bool {
	a.t.Helper()
	before := a.Rows()
	done, err := a.Pipeline.Compact(a.t.Context(), a.table, func(context.Context) error { return nil })
	if err != nil {
		a.t.Fatal(err)
	}
	a.unchanged("a compaction", before)
	return done
}

// Status looks an identity up: "realized", "exited", or "" if there is no membership.
func (a *Audience) Status(namespace, id string) string {
	a.t.Helper()
	key := identity.KeyOf(namespace, identity.Normalise(namespace, []byte(id), nil))
	found, err := a.engines.profile.Lookup(a.t.Context(), sandbox, []identity.Key{key})
	if err != nil {
		a.t.Fatal(err)
	}
	return a.statusOf(found[0])
}

// statusOf returns the status of the audience among memberships.
func (a *Audience) statusOf(found []profile.Membership) string {
	for _, m := range found {
		switch {
		case m.Audience != a.Num:
		case m.Exited || !m.Expiry(a.TTL()).After(a.Now):
			return "exited"
		default:
			return "realized"
		}
	}
	return ""
}

// auditProfile looks up the primary identities of all rows.
func (a *Audience) auditProfile(rows []Row) {
	a.t.Helper()
	keys := make([]identity.Key, len(rows))
	for i, r := range rows {
		copy(keys[i][:], r.ID)
	}
	found, err := a.engines.profile.Lookup(a.t.Context(), sandbox, keys)
	if err != nil {
		a.t.Fatal(err)
	}
	for i, r := range rows {
		if a.statusOf(found[i]) != "realized" {
			a.t.Errorf("the member of file %d, line %d is not in the profile store", r.File, r.Line)
		}
	}
}
