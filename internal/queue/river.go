// Package queue runs durable jobs. It is the only package that imports River.
package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"roster/internal/job"
)

// Dialect is the kind of the queue's database.
type Dialect string

// The dialects.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

const (
	// workers is how many jobs of a kind are fetched at once, the maximum that River allows. The handler decides how
	// many of them run, because it knows their sandboxes.
	workers = 10_000
	// pollEvery is the interval of polls for jobs without a Wake. A poll without result writes nothing, but costs
	// SQLite a millisecond of CPU time.
	pollEvery     = 5 * time.Second
	fetchCooldown = 20 * time.Millisecond
	// A job that fails this often is discarded; recovery enqueues unfinished work again.
	maxAttempts = 25
	longestWait = 30 * time.Second // between two attempts
	// rescueAfter is when River retries a job that is still marked as running. This eventually cleans up the jobs of
	// dead processes. A job that really runs that long is not affected: its second attempt finds that the work is in
	// progress.
	rescueAfter = 24 * time.Hour
	// hardStop is how long Stop waits for cancelled jobs.
	hardStop = 10 * time.Second
)

// Handler runs a job. It must be idempotent and safe for concurrent use with itself: a job may run more than once,
// rarely even twice at the same time. After an error the job runs again later. A handler that finds the work done, or
// in progress, returns nil.
type Handler func(ctx context.Context, j job.Job) error

// Queue is the durable queue of a database, and a process's workers on it.
type Queue struct {
	client  *river.Client[*sql.Tx]
	db      *sql.DB
	dialect Dialect
	log     *slog.Logger
	bell    *bell
	handler Handler
}

// New returns a queue in a database with tables from Migrate. It runs no jobs before Start.
func New(db *sql.DB, d Dialect, log *slog.Logger) (*Queue, error) {
	drv, err := driver(db, d)
	if err != nil {
		return nil, err
	}
	q := &Queue{log: log, db: db, dialect: d, bell: newBell()}
	known := river.NewWorkers()
	river.AddWorker(known, river.WorkFunc(q.work))
	queues := map[string]river.QueueConfig{}
	for _, kind := range job.Kinds {
		queues[string(kind)] = river.QueueConfig{MaxWorkers: workers, FetchPollInterval: pollEvery}
	}
	q.client, err = river.NewClient(belled{drv, q.bell}, &river.Config{
		Workers:              known,
		Queues:               queues,
		FetchCooldown:        fetchCooldown,
		JobTimeout:           -1,
		MaxAttempts:          maxAttempts,
		RescueStuckJobsAfter: rescueAfter,
		RetryPolicy:          retryPolicy{q},
		Logger:               slog.New(quiet{log.Handler()}),
	})
	if err != nil {
		return nil, fmt.Errorf("set up the job queue: %w", err)
	}
	return q, nil
}

func driver(db *sql.DB, d Dialect) (riverdriver.Driver[*sql.Tx], error) {
	switch d {
	case SQLite:
		return riversqlite.New(db), nil
	case Postgres:
		return riverdatabasesql.New(db), nil
	}
	return nil, fmt.Errorf("there is no job queue for the database %q", d)
}

// Migrate brings the queue's tables up to date.
func Migrate(ctx context.Context, db *sql.DB, d Dialect) error {
	drv, err := driver(db, d)
	if err != nil {
		return err
	}
	migrator, err := rivermigrate.New(drv, &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("bring the job queue's tables up to date: %w", err)
	}
	unlock, err := lockMigration(ctx, db, d)
	if err != nil {
		return fmt.Errorf("bring the job queue's tables up to date: %w", err)
	}
	_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	if err = errors.Join(err, unlock()); err != nil {
		return fmt.Errorf("bring the job queue's tables up to date: %w", err)
	}
	return nil
}

// lockMigration serialises the migrations of processes that start at the same time on a PostgreSQL database. A SQLite
// database has a single process.
func lockMigration(ctx context.Context, db *sql.DB, d Dialect) (unlock func() error, err error) {
	if d != Postgres {
		return func() error { return nil }, nil
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	const key = `(hashtext(current_schema() || '.roster.river'))`
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock`+key); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return func() error {
		_, err := conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock`+key)
		return errors.Join(err, conn.Close())
	}, nil
}

// args is a Job in River's form. River does not allow two jobs with equal args to wait or run at the same time.
type args struct {
	Work job.Kind `json:"work"`
	ID   string   `json:"id"`
	// Behind is the River job of the same work that was marked as running when this job was enqueued, 0 if there was
	// none. It may belong to a dead process, and must not prevent this job.
	Behind int64 `json:"behind,omitempty"`
}

// Kind implements river.JobArgs.
func (args) Kind() string { return "roster" }

// inLine are the states in which a job prevents an equal job from being enqueued. River requires the running state.
var inLine = []rivertype.JobState{rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
	rivertype.JobStateScheduled, rivertype.JobStateRunning}

// Enqueue records a job in the transaction that records its work. It does nothing while an equal job waits for a worker
// or for its next attempt. It does enqueue the job if an equal job runs, or ran in a process that died.
func (q *Queue) Enqueue(ctx context.Context, tx *sql.Tx, j job.Job) error {
	if !slices.Contains(job.Kinds, j.Kind) {
		return fmt.Errorf("enqueue a job: there is no kind %q", j.Kind)
	}
	a := args{Work: j.Kind, ID: j.ID}
	for {
		res, err := q.client.InsertTx(ctx, tx, a, &river.InsertOpts{
			Queue: string(j.Kind), UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: inLine}})
		if err != nil {
			return fmt.Errorf("enqueue a %s job: %w", j.Kind, err)
		}
		if !res.UniqueSkippedAsDuplicate || res.Job.State != rivertype.JobStateRunning {
			return nil
		}
		a.Behind = res.Job.ID // the loop ends: each round refers to a later job, and there are finitely many
	}
}

// Wake makes the queue fetch jobs of a kind at once. Call it after the transaction that enqueued them has committed.
func (q *Queue) Wake(k job.Kind) { q.bell.ring(k) }

// Start starts to run jobs. They are cancelled when ctx ends or the context of Stop ends.
func (q *Queue) Start(ctx context.Context, h Handler) error {
	q.handler = h
	if err := q.client.Start(ctx); err != nil {
		return fmt.Errorf("start the job queue: %w", err)
	}
	return nil
}

// Stop fetches no more jobs, waits for running jobs until ctx ends, and cancels the rest, which run again after the
// next start. It is safe to call twice.
func (q *Queue) Stop(ctx context.Context) error {
	if q.client.Stop(ctx) == nil {
		return nil
	}
	hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), hardStop)
	defer cancel()
	if err := q.client.StopAndCancel(hard); err != nil {
		return fmt.Errorf("stop the job queue: a job does not end: %w", err)
	}
	return nil
}

func (q *Queue) work(ctx context.Context, row *river.Job[args]) error {
	j := job.Job{Kind: row.Args.Work, ID: row.Args.ID}
	ctx = job.WithLog(ctx)
	err := q.handle(ctx, j)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err() // tells River that the job was stopped and did not fail
	}
	q.log.With(job.LogAttributes(ctx)...).WarnContext(ctx, "a job failed and is tried again", "kind", j.Kind, "id", j.ID, "attempt", row.Attempt, "error", err)
	return err
}

// handle runs a job. It turns a panic into an error, so that the log line names the job.
func (q *Queue) handle(ctx context.Context, j job.Job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return q.handler(ctx, j)
}

// retryPolicy doubles the wait after every failure, up to longestWait, minus a random part so that jobs that failed
// together are not retried together.
type retryPolicy struct{ queue *Queue }

// NextRetry implements river.ClientRetryPolicy.
func (p retryPolicy) NextRetry(row *rivertype.JobRow) time.Time {
	wait := min(500*time.Millisecond<<min(len(row.Errors), 10), longestWait)
	wait -= rand.N(wait / 4)
	time.AfterFunc(wait+fetchCooldown, func() { p.queue.Wake(job.Kind(row.Queue)) })
	return time.Now().UTC().Add(wait)
}

// quiet passes only River's warnings and errors. They name jobs by number and never contain their arguments.
type quiet struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (h quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{h.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (h quiet) WithGroup(name string) slog.Handler { return quiet{h.Handler.WithGroup(name)} }
