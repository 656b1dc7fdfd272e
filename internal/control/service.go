// Package control holds Roster's use cases: submit an audience, run it, change, delete and look up, and the
// durable work behind them. Its transactions are the only ones that span stores: a use case records work and
// enqueues the job that does it in one transaction, and a job does what can be repeated (dataset, profile
// store) before it records that it is done. The process may be killed between any two steps.
package control

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/ingest"
	"roster/internal/lake"
	"roster/internal/landing"
	"roster/internal/memory"
	"roster/internal/meta"
	"roster/internal/profile"
	"roster/internal/queue"
	"roster/internal/source"
	"roster/internal/webhook"
)

// Enqueuer records jobs.
type Enqueuer interface {
	// Enqueue records a job in a transaction of the metadata store.
	Enqueue(ctx context.Context, tx *sql.Tx, j queue.Job) error
	// Wake has jobs of a kind taken up that were enqueued in a transaction that has committed.
	Wake(k queue.Kind)
}

// Pipeline does runs and maintenance; see ingest.Pipeline.
type Pipeline interface {
	Run(ctx context.Context, s ingest.Spec) (audience.Run, error)
	Maintain(ctx context.Context, u ingest.Upkeep) (ingest.Maintained, error)
	Rebuild(ctx context.Context, p ingest.Projection) (ingest.Projected, error)
	Digest(ctx context.Context, table lake.TableID, aud *audience.Audience, at profile.Pointer) (profile.Digest, bool, error)
	Survey(ctx context.Context, r ingest.SurveyRequest) (ingest.Survey, error)
	Holds(ctx context.Context, table lake.TableID, aud *audience.Audience, key profile.Key) (ingest.Held, error)
	Purge(ctx context.Context, s ingest.PurgeSpec) (rejects int, err error)
}

// Lake keeps the datasets; see lake.Lake.
type Lake interface {
	Create(ctx context.Context, id lake.TableID, fields []audience.Field) error
	Drop(ctx context.Context, id lake.TableID) error
	Load(ctx context.Context, id lake.TableID) (*lake.Dataset, error)
	Find(ctx context.Context, id lake.TableID, keys []lake.Key, o lake.FindOptions) (lake.Found, error)
}

// SourceOpener opens the store that an audience's files lie in: that of a connection, or the landing zone of
// the sandbox when conn is nil. An *audience.Error says what is wrong with the connection; any other error that
// the store cannot be reached. A Store that is an io.Closer is closed after use.
type SourceOpener func(ctx context.Context, scope audience.Scope, conn *audience.Connection) (source.Store, error)

// Courier sends messages to webhooks; see webhook.Sender. What its errors say can be shown to the tenant.
type Courier interface {
	Send(ctx context.Context, m webhook.Message) (status int, err error)
}

// Config is what a Service works with.
type Config struct {
	Store    meta.Store
	Queue    Enqueuer
	Pipeline Pipeline
	Lake     Lake
	Profile  profile.Store
	Sources  SourceOpener
	// Credentials is needed to administer API clients.
	Credentials Credentials
	Landing     *landing.Zones
	Clock       func() time.Time // default time.Now
	// Settled reports whether the clock may be believed; while it may not, nothing is removed for its age. nil is for a clock that always may.
	Settled func() bool
	Log     *slog.Logger // default none
	// SettleAge is how old a file of a folder must be to be taken for whole; nil means DefaultSettleAge.
	SettleAge *time.Duration
	// UndoWindow is how long a version of an audience can be brought back; default DefaultUndoWindow.
	UndoWindow time.Duration
	Sealer     Sealer  // of the secrets of connections and webhooks
	Courier    Courier // to webhooks
	// Observer counts what the Service does; nil for nobody.
	Observer Observer
	// Reading notes which file is being read for a run, for whoever finds the process dead. Optional.
	Reading func(run audience.RunID, path string) (done func())
	// Working is told each job that begins, and what it returns when the job ends. A job that waits for its turn has not begun.
	Working func(k queue.Kind) (ended func())
	// Limits bound what one sandbox has going on at a time.
	Limits Limits
	// Guardrails makes the limits of Adobe Experience Platform hold: see guardrails.go.
	Guardrails bool
	// Memory is that of large answers, and of runs; nil means a budget of its own.
	Memory *memory.Budget
	// AccountType is the audienceType of audiences of accounts; "" when there are none.
	AccountType string
	// SuppressErased has runs reject the rows of people who were erased from the sandbox.
	SuppressErased bool
	Worker         string // names this process in leases; default one made of host, process id and chance
}

func (c Config) withDefaults() Config {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Settled == nil {
		c.Settled = func() bool { return true }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.SettleAge == nil {
		c.SettleAge = new(DefaultSettleAge)
	}
	if c.Memory == nil {
		c.Memory = memory.New(ingest.DefaultMemory)
	}
	if c.Observer == nil {
		c.Observer = unobserved{}
	}
	if c.Reading == nil {
		c.Reading = func(audience.RunID, string) func() { return func() {} }
	}
	if c.Working == nil {
		c.Working = func(queue.Kind) func() { return func() {} }
	}
	c.Limits = c.Limits.withDefaults()
	if c.UndoWindow == 0 {
		c.UndoWindow = DefaultUndoWindow
	}
	if c.Worker == "" {
		host, _ := os.Hostname()
		c.Worker = fmt.Sprintf("%s/%d/%s", host, os.Getpid(), uuid.NewString())
	}
	return c
}

// Service is the use cases. It is safe for concurrent use.
type Service struct {
	cfg        Config
	audiences  *cache[uint32, *audience.Audience] // by number, nil when there is none
	sandboxes  *cache[audience.Scope, audience.Sandbox]
	namespaces *cache[string, []audience.Namespace] // custom ones by organization
	work       worklist
	suspects   chan struct{} // has the one task or run being done that a process died of
	uploaded   uploaded
	looks      *looks
	turns      turns
	waiting    *waiting
	requests   requests
}

// New returns the use cases over the parts in cfg.
func New(cfg Config) *Service {
	cfg = cfg.withDefaults()
	s := &Service{cfg: cfg, work: newWorklist(cfg.Clock()), suspects: make(chan struct{}, 1), looks: newLooks(), turns: newTurns(), waiting: newWaiting()}
	s.audiences = newCache(cfg.Clock, s.loadAudience)
	s.sandboxes = newCache(cfg.Clock, cfg.Store.Sandbox)
	s.namespaces = newCache(cfg.Clock, cfg.Store.Namespaces)
	return s
}

// Who may do what (contract, section 4). Each role includes the ones above it.
//
//	viewer  read everything, look profiles up
//	editor  submit, change and delete audiences with their labels; start runs; upload files;
//	        create connections and namespaces; keep webhooks
//	admin   delete connections; erase people; read the audit log of the sandbox; in every sandbox of the organization: read all of the
//	        audit log, administer API clients, and create, reset and delete sandboxes
//
// Beside its role an actor needs the labels of what it reads or changes: see labels.go.
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

// now is the time that is recorded, as exact as the metadata store keeps it.
func (s *Service) now() time.Time { return s.cfg.Clock().UTC().Truncate(time.Microsecond) }

// absent turns the store's ErrNotFound into the contract's error about a thing that a client named.
func absent[ID ~string](err error, what string, id ID) error {
	if errors.Is(err, meta.ErrNotFound) {
		return notFound(what, id)
	}
	return err
}

func notFound[ID ~string](what string, id ID) error {
	return audience.Errorf(audience.NotFound, "%s %.64q does not exist", what, string(id))
}

// canonical returns an id as it is stored; false for a text that is no id, which nothing has.
func canonical[ID ~string](id ID) (ID, bool) {
	lower := strings.ToLower(string(id))
	u, err := uuid.Parse(lower)
	return ID(lower), err == nil && u.String() == lower
}

// tableID names an audience's dataset. Letters, digits and - of the organization and the sandbox stay, every
// other byte becomes _ and two hexadecimal digits, and two underscores part them: since those cannot come out
// of the escaping, different scopes have different names.
func tableID(scope audience.Scope, id audience.ID) lake.TableID {
	return lake.TableID{Namespace: escape(scope.Org) + "__" + escape(scope.Sandbox), Name: string(id)}
}

func escape(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return b.String()
}
