// Package control contains Roster's use cases: what the API, the console and the commands ask for. A use case records
// work and enqueues its job in one transaction; package work does the job.
package control

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"roster/internal/audience"
	"roster/internal/cache"
	"roster/internal/connect"
	"roster/internal/events"
	"roster/internal/identity"
	"roster/internal/job"
	"roster/internal/lake"
	"roster/internal/landing"
	"roster/internal/memory"
	"roster/internal/meta"
	"roster/internal/profile"
	"roster/internal/survey"
)

// Store is the part of the metadata store that the use cases need.
type Store interface {
	meta.Updater
	meta.Tenants
	meta.Clients
	meta.AuditLog
	meta.Connections
	meta.Keys
	meta.Audiences
	meta.Tasks
	meta.Runs
	meta.Leases // to count the work of a sandbox
	meta.Webhooks
	meta.Erasures
}

// Lake reads the datasets, and changes the names of audiences in them; see lake.Lake.
type Lake interface {
	Load(ctx context.Context, id lake.TableID) (*lake.Dataset, error)
	Describe(ctx context.Context, id lake.TableID, name string) error
	Find(ctx context.Context, id lake.TableID, keys []identity.Key, o lake.FindOptions) (lake.Found, error)
}

// Profiles reads the memberships; see profile.Store.
type Profiles interface {
	Lookup(ctx context.Context, sandbox uint32, keys []identity.Key) ([][]profile.Membership, error)
	Sharing(ctx context.Context, sandbox uint32, key identity.Key, fn func(profile.Membership) error) error
	RemoveIdentities(ctx context.Context, sandbox uint32, keys []identity.Key) error
}

// Config has the parts and settings of a Service.
type Config struct {
	Store    Store
	Jobs     *job.Outbox // receives the jobs of use cases
	Sources  *connect.Opener
	Surveyor survey.Surveyor
	Lake     Lake
	Profile  Profiles
	// Credentials is needed to administer API clients.
	Credentials Credentials
	Landing     *landing.Zones
	Clock       func() time.Time // default time.Now
	Log         *slog.Logger     // default none
	// UndoWindow is the time during which a version of an audience can be restored; default audience.DefaultUndoWindow.
	UndoWindow time.Duration
	Sealer     Sealer // of the secrets of connections and webhooks
	// Observer counts look-ups. Optional.
	Observer Observer
	// Limits limit the concurrent work of one sandbox.
	Limits Limits
	// Guardrails enforces the limits of Adobe Experience Platform: see launch.WithinGuardrails.
	Guardrails bool
	// Memory is the memory budget of large answers; nil means a separate budget.
	Memory *memory.Budget
	// AccountType is the audienceType of audiences of accounts; "" if there are none.
	AccountType string
}

func (c Config) withDefaults() Config {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Memory == nil {
		c.Memory = memory.New(memory.Default)
	}
	if c.Observer == nil {
		c.Observer = unobserved{}
	}
	c.Limits = c.Limits.withDefaults()
	if c.UndoWindow == 0 {
		c.UndoWindow = audience.DefaultUndoWindow
	}
	return c
}

const (
	// cacheFor is the longest delay until a change by another process is visible. A change by this process clears the
	// caches.
	cacheFor = time.Second
	// cacheSize is the number of values of each cache.
	cacheSize = 10_000
)

// Service has the use cases. It is safe for concurrent use.
type Service struct {
	cfg        Config
	events     events.Recorder
	audiences  *cache.Timed[uint32, *audience.Audience] // by number, nil if there is none
	sandboxes  *cache.Timed[audience.Scope, audience.Sandbox]
	namespaces *cache.Timed[string, []audience.Namespace] // custom ones by organization
	looks      *looks
	requests   requests
}

// New returns the use cases over the parts in cfg.
func New(cfg Config) *Service {
	cfg = cfg.withDefaults()
	s := &Service{cfg: cfg, events: events.Recorder{Jobs: cfg.Jobs}, looks: newLooks()}
	s.audiences = cache.NewTimed[uint32, *audience.Audience](cacheSize, cacheFor, cfg.Clock)
	s.sandboxes = cache.NewTimed[audience.Scope, audience.Sandbox](cacheSize, cacheFor, cfg.Clock)
	s.namespaces = cache.NewTimed[string, []audience.Namespace](cacheSize, cacheFor, cfg.Clock)
	return s
}

// ClearCaches is called after a worker of this process changed audiences or sandboxes, so that the next answers show
// the change at once. Without the call they show it within a second.
func (s *Service) ClearCaches() {
	s.audiences.Clear()
	s.sandboxes.Clear()
}

// Permissions (contract, section 4). Each role includes the ones above it.
//
//	viewer  read everything, look profiles up
//	editor  submit, change and delete audiences with their labels; start runs; upload files;
//	        create connections and namespaces; administer webhooks
//	admin   delete connections; erase people; read the audit log of the sandbox; in every sandbox of the organization:
//	        read the whole audit log, administer API clients, and create, reset and delete sandboxes
//
// In addition to its role an actor needs the labels of the objects that it reads or changes: see labels.go.
const (
	toRead       = audience.Viewer
	toWrite      = audience.Editor
	toAdminister = audience.Admin
)

func allow(a audience.Actor, needed audience.ClientRole) error {
	if a.May(needed) {
		return nil
	}
	return audience.Errorf(audience.Forbidden, "this needs the role %s in sandbox %q, which the API client does not have", needed, a.Scope.Sandbox)
}

// now returns the current time in the precision of the metadata store.
func (s *Service) now() time.Time { return s.cfg.Clock().UTC().Truncate(time.Microsecond) }

// absent converts the store's ErrNotFound into the contract's error about an object that a client named.
func absent[ID ~string](err error, what string, id ID) error {
	if errors.Is(err, meta.ErrNotFound) {
		return notFound(what, id)
	}
	return err
}

func notFound[ID ~string](what string, id ID) error {
	return audience.Errorf(audience.NotFound, "%s %.64q does not exist", what, string(id))
}

// logOf returns the log for lines about work in a sandbox.
func (s *Service) logOf(scope audience.Scope) *slog.Logger {
	return s.cfg.Log.With("organization", scope.Org, "sandbox", scope.Sandbox)
}
