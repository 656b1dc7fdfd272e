// Package app is the composition root: it reads the configuration, opens the engines, connects the parts of Roster and
// runs their life cycle. No other package imports an engine.
package app

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"roster/internal/api"
	"roster/internal/auth"
	"roster/internal/background"
	"roster/internal/connect"
	"roster/internal/control"
	"roster/internal/edge"
	"roster/internal/ingest"
	"roster/internal/job"
	"roster/internal/lake"
	"roster/internal/landing"
	"roster/internal/memory"
	"roster/internal/meta"
	"roster/internal/meta/postgres"
	"roster/internal/meta/sqlite"
	"roster/internal/profile"
	"roster/internal/profile/pebble"
	"roster/internal/queue"
	"roster/internal/webhook"
	"roster/internal/work"
)

// App is a Roster process. New opens its parts, Start serves, Stop drains and closes.
type App struct {
	cfg        Config
	log        *slog.Logger
	localRoots []string     // absolute, without symbolic links
	outside    *http.Client // for stores of connections, and for webhooks

	lock    *dirLock
	meta    metaStore
	lake    *lake.Lake
	profile *pebble.Store
	landing *landing.Zones
	control *control.Service
	worker  *work.Service
	queue   *queue.Queue
	clock   *clockWatch
	metrics *prometheus.Registry
	tenants *tenantMetrics
	work    *workMetrics
	disk    *diskMetrics

	listener *drainer
	gate     *edge.Gate
	tracker  *connTracker
	served   chan struct{} // closed when the server accepts no more connections; nil before it accepts any
	server   *http.Server
	debug    *http.Server
	url      string
	started  time.Time // when the server began to serve; zero before
	draining atomic.Bool
	words    lastWords
	failed   chan error // receives the error of a server that stopped by itself

	catalog       *sql.DB      // the database of the lake's catalog; nil on PostgreSQL
	profileFault  error        // the reason why the profile store is not open, in an App that only checks
	closeOperator func() error // nil if the App takes no commands of the operator

	background sync.WaitGroup
	cancel     context.CancelFunc // ends the background work
	closers    []func() error     // in the order of opening
	stopOnce   sync.Once
	stopErr    error
}

// metaStore has the methods that the engines of the metadata store have in addition to the contract.
type metaStore interface {
	meta.Store
	DB() *sql.DB
}

// Timeouts and intervals.
const (
	drainTimeout = 15 * time.Second // for requests in progress when the server stops
	stopTimeout  = time.Second      // for short jobs in progress; runs are interrupted and resume at the next start
	recoverEvery = 5 * time.Second
)

// New opens the data directory and everything in it. It opens no port. Any wrong configuration fails here.
func New(ctx context.Context, cfg Config) (*App, error) {
	cfg = cfg.withDefaults()
	a := &App{cfg: cfg, log: cfg.Logger, metrics: newRegistry(), tenants: newTenantMetrics(), failed: make(chan error, 2)}
	a.work = newWorkMetrics(a.metrics, a.tenants)
	if err := a.open(ctx); err != nil {
		_ = a.close() // an error of close only follows from the first error
		return nil, a.explained(err)
	}
	return a, nil
}

func (a *App) open(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		a.openDataDir, a.openLocalRoots, a.openMeta, a.openLake, a.openProfile, a.openLanding, a.wire,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) openMeta(ctx context.Context) error {
	var err error
	dialect := queue.SQLite
	if a.cfg.DatabaseURL != "" {
		dialect = queue.Postgres
		if a.meta, err = postgres.Open(ctx, a.cfg.DatabaseURL); err != nil {
			return fmt.Errorf("--database-url, ROSTER_DATABASE_URL: %w", err)
		}
	} else if a.meta, err = sqlite.Open(ctx, a.path("roster.db")); err != nil {
		return fmt.Errorf("open the metadata: %w", err)
	}
	a.closers = append(a.closers, a.meta.Close)
	if err := a.ownDatabase(ctx); err != nil {
		return err
	}
	if err := a.checkKeys(ctx); err != nil {
		return err
	}
	if err := queue.Migrate(ctx, a.meta.DB(), dialect); err != nil {
		return fmt.Errorf("prepare the job queue: %w", err)
	}
	a.queue, err = queue.New(a.meta.DB(), dialect, a.log)
	return err
}

func (a *App) openProfile(context.Context) error {
	store, err := pebble.Open(a.path("profile"), pebble.Options{Log: a.log, AsFound: a.cfg.asFound})
	if a.cfg.asFound && errors.Is(err, profile.ErrDamaged) {
		a.profileFault = err
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the profile store: %w", err)
	}
	a.profile = store
	a.closers = append(a.closers, store.Close)
	return nil
}

// wire connects the parts, all of which are open.
func (a *App) wire(ctx context.Context) error {
	issuer, err := auth.NewIssuer(KeyPath(a.cfg.DataDir), a.meta, a.cfg.Clock)
	if err != nil {
		return fmt.Errorf("open the token keys: %w", err)
	}
	if a.cfg.OIDC.Issuer != "" {
		if err := issuer.Trust(a.cfg.OIDC); err != nil {
			return fmt.Errorf("--oidc-issuer: %w", err)
		}
	}
	ring, err := a.cfg.openRing(ctx)
	if err != nil {
		return err
	}
	metrics, err := a.metricsHandler()
	if err != nil {
		return err
	}
	if a.cfg.Private {
		background.Disable()
	}
	if a.clock, err = newClockWatch(a.path("clock"), a.cfg.Clock, a.log); err != nil {
		return err
	}
	a.outside = a.cfg.guard().Client()
	budget := memory.New(a.cfg.Memory)
	pipeline := &ingest.Pipeline{Lake: a.lake, Profile: a.profile, Scratch: a.path("scratch"), Memory: budget, Workers: background.Cores(), Clock: a.cfg.Clock, ClockTrusted: a.clock.trusted, Log: a.log, RefuseForeign: a.cfg.RefuseForeign}
	jobs := job.NewOutbox(a.queue, a.cfg.Clock)
	sources := connect.New(connect.Config{Store: a.meta, Open: a.openSource, Secrets: ring, Landing: a.landing, SettleAge: a.cfg.SettleAge, Clock: a.cfg.Clock, Log: a.log})
	a.control = control.New(control.Config{
		Store: a.meta, Jobs: jobs, Sources: sources, Surveyor: pipeline, Lake: a.lake, Profile: a.profile, Credentials: issuer, Landing: a.landing, Sealer: ring,
		Clock: a.cfg.Clock, Log: a.log, UndoWindow: a.cfg.UndoWindow, Observer: a.work, Limits: a.cfg.Limits, Guardrails: a.cfg.Guardrails, Memory: budget,
		AccountType: a.cfg.AccountType,
	})
	a.worker = work.New(work.Config{
		Store: a.meta, Jobs: jobs, Sources: sources, Pipeline: pipeline, Lake: a.lake, Profile: a.profile, Landing: a.landing, Secrets: ring,
		WebhookSender: webhook.NewSender(a.outside.Transport), Clock: a.cfg.Clock, ClockTrusted: a.clock.trusted, Log: a.log, UndoWindow: a.cfg.UndoWindow, Observer: a.work,
		Reading: a.words.note, Changed: a.control.ClearCaches, Guardrails: a.cfg.Guardrails, SuppressErased: a.cfg.SuppressErased,
		Worker: workerName(), OneCommand: a.cfg.Private,
	})
	a.disk = newDiskMetrics(a.cfg.DataDir, a.warehouse())
	a.metrics.MustRegister(newQueueMetrics(a.worker), a.disk)
	registerRead(a.metrics, pipeline.Read)
	if err := a.rememberSuccess(ctx); err != nil {
		return err
	}
	handler := api.New(api.Config{Service: a.control, Issuer: issuer, PageKey: issuer.PageKey(), Log: a.log, Ready: a.ready, StoreProperties: a.storeProperties(), RateLimit: a.cfg.RateLimit,
		Version: Version(), Metrics: metrics, Registerer: a.metrics, Served: a.tenants.served, Known: edge.MarkAuthenticated})
	a.server = newServer(handler, a.log)
	limits := a.cfg.connections()
	limits.Registerer = a.metrics
	a.gate = edge.New(limits)
	a.gate.Limit(a.server, http.HandlerFunc(api.TooManyConnections))
	a.tracker = admit(a.server, &a.draining)
	return nil
}

// workerName returns the name of this process in leases: host, process id and a random part.
func workerName() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%s/%d/%s", host, os.Getpid(), uuid.NewString())
}

// rememberSuccess initializes the metric of the last run that succeeded before the process began.
func (a *App) rememberSuccess(ctx context.Context) error {
	at, err := a.meta.LastIngested(ctx)
	if errors.Is(err, meta.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for the last successful run: %w", err)
	}
	a.work.succeededAt(at)
	return nil
}

// ready returns nil if the process accepts requests; otherwise its error is the answer of /readyz.
func (a *App) ready() error {
	if a.draining.Load() {
		return errors.New("the server is shutting down")
	}
	return nil
}

// Start opens the port, completes a first start, resumes unfinished work and serves. ctx applies to starting only.
func (a *App) Start(ctx context.Context) error { return a.explained(a.start(ctx)) }

func (a *App) start(ctx context.Context) error {
	if err := a.listen(); err != nil {
		return err
	}
	if err := a.bootstrap(ctx, a.lastingURL()); err != nil {
		return err
	}
	if a.cfg.DatabaseURL == "" {
		// The lock on the data directory guarantees that no other process works on this SQLite store.
		if err := a.meta.Update(ctx, func(tx meta.Tx) error { return errors.Join(tx.EndLeases(ctx), tx.DeleteUnanswered(ctx)) }); err != nil {
			return fmt.Errorf("take over unfinished work: %w", err)
		}
	}
	if err := a.mourn(ctx); err != nil {
		return fmt.Errorf("find out how the previous process ended: %w", err)
	}
	if err := a.landing.Recover(ctx); err != nil {
		return fmt.Errorf("recover incomplete uploads: %w", err)
	}
	if err := a.worker.CompareProjections(ctx); err != nil {
		return fmt.Errorf("compare the profile store with the runs: %w", err)
	}
	if err := a.watchClock(ctx); err != nil {
		return err
	}
	if err := a.worker.Recover(ctx); err != nil {
		return fmt.Errorf("resume unfinished work: %w", err)
	}
	background, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	if err := a.queue.Start(background, a.worker.Handle); err != nil {
		return fmt.Errorf("start the job queue: %w", err)
	}
	a.background.Go(func() { a.recoverLoop(background) })
	if !a.cfg.Private {
		a.background.Go(func() { a.disk.watch(background) })
	}
	a.serve()
	if err := a.listenToOperator(); err != nil {
		return err
	}
	if err := a.lock.announce(a.url); err != nil {
		return err
	}
	a.started = time.Now()
	a.log.Info("serving", a.facts()...)
	return nil
}

// mourn counts the crash of the previous process, if it crashed, and prepares the record for one of this process.
func (a *App) mourn(ctx context.Context) error {
	death, err := a.words.death()
	if err != nil {
		return err
	}
	if death.Cause != "" {
		n, err := a.worker.RecordDeath(ctx, death)
		if err != nil {
			return err
		}
		a.log.Warn("the previous process crashed", "cause", death.Cause, "tasks and runs in progress", n)
	}
	a.closers = append(a.closers, a.words.close)
	return a.words.begin(a.worker.Worker())
}

// recoverLoop resumes work whose worker died, and cleanups that failed. After a damaged profile store was replaced, it
// compares the new one with the runs.
func (a *App) recoverLoop(ctx context.Context) {
	ticker := time.NewTicker(recoverEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.profile.Lost():
			a.compareAnew(ctx)
		case <-ticker.C:
		}
		if ctx.Err() == nil {
			if err := errors.Join(a.watchClock(ctx), a.worker.Recover(ctx)); err != nil && ctx.Err() == nil {
				a.log.Error("look for unfinished work", "error", err)
			}
		}
	}
}

// compareAnew compares the profile store with the runs, again and again until it succeeds; look-ups are refused until
// then.
func (a *App) compareAnew(ctx context.Context) {
	for ctx.Err() == nil {
		err := a.worker.CompareProjections(ctx)
		if err == nil {
			a.profile.Compared()
			return
		}
		a.log.Error("compare the profile store with the runs", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(recoverEvery):
		}
	}
}

// watchClock wakes jobs that wait for a time, after a clock that was ahead is put back.
func (a *App) watchClock(ctx context.Context) error {
	back, err := a.clock.look()
	if err != nil || !back {
		return err
	}
	if err := a.worker.ResetFutureTimes(ctx); err != nil {
		return fmt.Errorf("after the clock was put back: %w", err)
	}
	return a.queue.ResetFutureTimes(ctx)
}

// URL is the address of the API, without a slash at the end; "" before Start.
func (a *App) URL() string { return a.url }

// DataDir is the absolute path of the data directory.
func (a *App) DataDir() string { return a.cfg.DataDir }

// Failed delivers the error of a server that stopped by itself.
func (a *App) Failed() <-chan error { return a.failed }

// Stop drains: it refuses new requests, lets those in progress finish, stops the jobs (an interrupted run resumes at
// the next start) and closes everything. It is safe to call it twice, and after a failed Start.
func (a *App) Stop(ctx context.Context) error {
	a.stopOnce.Do(func() {
		a.draining.Store(true)
		err := a.stopServing(ctx)
		if a.cancel != nil {
			stopping, done := context.WithTimeout(ctx, stopTimeout)
			err = errors.Join(err, a.queue.Stop(stopping))
			done()
			a.cancel()
			a.background.Wait()
		}
		a.stopErr = errors.Join(err, a.close())
		a.logStop()
	})
	return a.stopErr
}

// close closes what is open, in reverse order of opening.
func (a *App) close() error {
	var err error
	for i := len(a.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, a.closers[i]())
	}
	a.closers = nil
	return err
}

// path returns a path in the data directory.
func (a *App) path(elem ...string) string {
	return filepath.Join(append([]string{a.cfg.DataDir}, elem...)...)
}
