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

// Dialect names the kind of database that holds the queue.
type Dialect string

// The dialects.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

const (
	// workers is how many jobs of a kind are taken at once, the most that River allows. How many of them go on is for the handler
	// to say, which knows whose they are.
	workers = 10_000
	// pollEvery is how often jobs are looked for that nobody called Wake for. A poll that finds nothing writes nothing, but takes
	// SQLite a millisecond of computing.
	pollEvery     = 5 * time.Second
	fetchCooldown = 20 * time.Millisecond
	// A job that fails this often is given up; whoever knows of unfinished work enqueues it anew.
	maxAttempts = 25
	longestWait = 30 * time.Second // between two attempts
	// rescueAfter is when River retries a job that is still marked as running, which is how the jobs of dead
	// processes are cleaned up in the end. A job that really runs so long is not disturbed: its second attempt
	// finds that the work is being done.
	rescueAfter = 24 * time.Hour
	// hardStop bounds how long Stop waits for the jobs that it cancelled.
	hardStop = 10 * time.Second
)

// Handler does a job. It is idempotent and safe beside itself: a job may run more than once, rarely even twice at
// a time. After an error it runs again later; a handler that finds the work done, or being done, returns nil.
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

// New returns a queue in a database whose tables Migrate has made. It runs no jobs before Start.
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

// lockMigration makes the processes that start at once on a PostgreSQL database migrate one after the other. A
// SQLite database has a single process.
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

// args is a Job as River stores it. River keeps two jobs with equal args from waiting or running at a time.
type args struct {
	Work job.Kind `json:"work"`
	ID   string   `json:"id"`
	// Behind is the River job of the same work that was marked as running when this one was enqueued, 0 when
	// none was. It may belong to a process that died, and must not keep its work from being taken up.
	Behind int64 `json:"behind,omitempty"`
}

// Kind implements river.JobArgs.
func (args) Kind() string { return "roster" }

// inLine are the states in which a job keeps its like from being enqueued. River insists on the running state.
var inLine = []rivertype.JobState{rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
	rivertype.JobStateScheduled, rivertype.JobStateRunning}

// Enqueue records a job in the transaction that records its work. While the same job waits for a worker or for
// its next attempt this does nothing; beside one that runs, or ran in a process that died, it does.
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
		a.Behind = res.Job.ID // every round is behind a later job, of which there are finitely many
	}
}

// Wake has jobs of a kind taken up at once that were enqueued in a transaction that has committed.
func (q *Queue) Wake(k job.Kind) { q.bell.ring(k) }

// Start begins to run jobs. They are cancelled when ctx ends or Stop is out of patience.
func (q *Queue) Start(ctx context.Context, h Handler) error {
	q.handler = h
	if err := q.client.Start(ctx); err != nil {
		return fmt.Errorf("start the job queue: %w", err)
	}
	return nil
}

// Stop takes no more jobs, waits for those that run until ctx ends, and cancels the rest; these run again after
// the next start. It is safe to call twice.
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
		return ctx.Err() // by which River knows that the job was stopped, and did not fail
	}
	q.log.With(job.LogAttributes(ctx)...).WarnContext(ctx, "a job failed and is tried again", "kind", j.Kind, "id", j.ID, "attempt", row.Attempt, "error", err)
	return err
}

// handle does a job; a panic is a failure of it, so that its log line tells whose job it was.
func (q *Queue) handle(ctx context.Context, j job.Job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return q.handler(ctx, j)
}

// retryPolicy waits twice as long after every failure, up to longestWait, a little less at random so that jobs
// that failed together do not come back together.
type retryPolicy struct{ queue *Queue }

// NextRetry implements river.ClientRetryPolicy.
func (p retryPolicy) NextRetry(row *rivertype.JobRow) time.Time {
	wait := min(500*time.Millisecond<<min(len(row.Errors), 10), longestWait)
	wait -= rand.N(wait / 4)
	time.AfterFunc(wait+fetchCooldown, func() { p.queue.Wake(job.Kind(row.Queue)) })
	return time.Now().UTC().Add(wait)
}

// quiet lets only River's warnings and errors through. They name jobs by number and never hold their arguments.
type quiet struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (h quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{h.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (h quiet) WithGroup(name string) slog.Handler { return quiet{h.Handler.WithGroup(name)} }
