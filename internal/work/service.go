// Package work does the durable work that package control records: it creates submitted audiences, executes runs,
// starts scheduled runs, maintains datasets, erases people, and sends messages to webhooks. A job first does its
// repeatable work (dataset, profile store) and then records that it is done, so the process may be killed between any
// two steps.
package work

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/connect"
	"roster/internal/events"
	"roster/internal/fair"
	"roster/internal/identity"
	"roster/internal/ingest"
	"roster/internal/job"
	"roster/internal/lake"
	"roster/internal/landing"
	"roster/internal/meta"
	"roster/internal/profile"
	"roster/internal/webhook"
)

// Store is the part of the metadata store that a worker needs.
type Store interface {
	meta.Updater
	meta.Progress
	meta.Tenants
	meta.Audiences
	meta.Upkeep
	meta.Runs
	meta.Leases
	meta.Webhooks
	meta.Clients // whose labels decide what a webhook may see
	meta.Erasures
}

// Pipeline executes runs and maintenance; see ingest.Pipeline.
type Pipeline interface {
	Run(ctx context.Context, s ingest.Spec) (audience.Run, error)
	Maintain(ctx context.Context, u ingest.Upkeep) (ingest.Maintained, error)
	CompareOutside(ctx context.Context, d *lake.Dataset, aud *audience.Audience) (audience.RunResult, error)
	NeedsCompaction(ctx context.Context, table lake.TableID) (bool, error)
	Compact(ctx context.Context, table lake.TableID, before func(ctx context.Context) error) (done bool, err error)
	Rebuild(ctx context.Context, p ingest.Projection) (ingest.Projected, error)
	Digest(ctx context.Context, table lake.TableID, aud *audience.Audience, at profile.Pointer) (profile.Digest, bool, error)
	Live(ctx context.Context, table lake.TableID, aud *audience.Audience, keys map[identity.Key]bool) (bool, error)
	Erased(ctx context.Context, table lake.TableID, run audience.RunID, keys map[identity.Key]bool) (map[identity.Key]int64, error)
	Purge(ctx context.Context, s ingest.PurgeSpec) (rejects map[identity.Key]int, err error)
}

// Lake stores the datasets; see lake.Lake.
type Lake interface {
	Create(ctx context.Context, id lake.TableID, name string, fields []audience.Field) error
	Describe(ctx context.Context, id lake.TableID, name string) error
	Drop(ctx context.Context, id lake.TableID) error
	Load(ctx context.Context, id lake.TableID) (*lake.Dataset, error)
	Names(ctx context.Context) (map[lake.TableID]bool, error)
}

// WebhookSender sends messages to webhooks; see webhook.Sender. Its error texts may be shown to the tenant.
type WebhookSender interface {
	Send(ctx context.Context, m webhook.Message) (status int, err error)
}

// Config has the parts and settings of a Service.
type Config struct {
	Store         Store
	Jobs          *job.Outbox // shared with the use cases of the same process, if there are any
	Pipeline      Pipeline
	Lake          Lake
	Profile       profile.Store
	Sources       *connect.Opener
	Landing       *landing.Zones
	Secrets       connect.Secrets  // of webhooks and erasures
	WebhookSender WebhookSender    // to webhooks
	Clock         func() time.Time // default time.Now
	// ClockTrusted reports whether the clock is trusted. While it is not, nothing is removed because of its age. Optional;
	// without it the clock is always trusted.
	ClockTrusted func() bool
	Log          *slog.Logger // default none
	// UndoWindow is the time during which a version of an audience can be restored; default audience.DefaultUndoWindow.
	UndoWindow time.Duration
	// Observer counts the work of the Service. Optional.
	Observer Observer
	// Reading records that a file is being read for a run, for the process that follows a crash. Optional.
	Reading func(run audience.RunID, path string) (done func())
	// Changed is called after a change of audiences or sandboxes that this process may have cached. Optional.
	Changed func()
	// Guardrails enforces the limits of Adobe Experience Platform on scheduled runs: see launch.WithinGuardrails.
	Guardrails bool
	// SuppressErased makes runs reject the rows of people who were erased from the sandbox.
	SuppressErased bool
	Worker         string // name of this process in leases; default a random name
	// OneCommand means that the process ends after one command. It compares the pointers of the profile store, but not
	// the memberships: reading all of them takes longer than a small run.
	OneCommand bool
}

func (c Config) withDefaults() Config {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.ClockTrusted == nil {
		c.ClockTrusted = func() bool { return true }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.UndoWindow == 0 {
		c.UndoWindow = audience.DefaultUndoWindow
	}
	if c.Observer == nil {
		c.Observer = unobserved{}
	}
	if c.Reading == nil {
		c.Reading = func(audience.RunID, string) func() { return func() {} }
	}
	if c.Changed == nil {
		c.Changed = func() {}
	}
	if c.Worker == "" {
		c.Worker = uuid.NewString()
	}
	return c
}

// Service does jobs. It is safe for concurrent use.
type Service struct {
	cfg      Config
	events   events.Recorder
	work     worklist
	suspects chan struct{} // held during the only task or run in progress during which a process has died
	kinds    map[job.Kind]*kind
	sizes    *fair.Gate // limits the measurements of waiting runs
	waiting  *waiting

	groupMu sync.Mutex
	group   *erasures // the last result of erasuresOf
}

// New returns a Service with the parts in cfg.
func New(cfg Config) *Service {
	cfg = cfg.withDefaults()
	s := &Service{cfg: cfg, events: events.Recorder{Jobs: cfg.Jobs}, work: newWorklist(cfg.Clock()), suspects: make(chan struct{}, 1),
		sizes: fair.New(sizesAtOnce), waiting: newWaiting()}
	s.kinds = s.allKinds()
	return s
}

// now returns the current time in the precision of the metadata store.
func (s *Service) now() time.Time { return s.cfg.Clock().UTC().Truncate(time.Microsecond) }
