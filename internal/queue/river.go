package queue

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
)

// Dialect names the database that holds the queue.
type Dialect string

// The dialects.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

func driver(db *sql.DB, d Dialect) (riverdriver.Driver[*sql.Tx], error) {
	switch d {
	case SQLite:
		return riversqlite.New(db), nil
	case Postgres:
		return riverdatabasesql.New(db), nil
	}
	return nil, fmt.Errorf("queue: no dialect %q", d)
}

// Migrate brings the queue's tables up to date.
func Migrate(ctx context.Context, db *sql.DB, d Dialect) error {
	drv, err := driver(db, d)
	if err != nil {
		return err
	}
	m, err := rivermigrate.New(drv, &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("bring the queue's tables up to date: %w", err)
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("bring the queue's tables up to date: %w", err)
	}
	return nil
}

// Handler does a job. It is idempotent: a job may run more than once, and after an error it runs again later.
type Handler func(ctx context.Context, j Job) error

// Queue runs jobs. Those of a process that died stay marked as running until River rescues them; whoever knows
// of unfinished work enqueues it anew, and a handler that finds its work done returns nil.
type Queue struct {
	client  *river.Client[*sql.Tx]
	handler Handler
}

// args is a Job as River stores it.
type args struct {
	Work Kind   `json:"kind"`
	ID   string `json:"id"`
}

func (args) Kind() string { return "roster" }

// queueRuns keeps long runs from holding up everything else.
const queueRuns = "runs"

// Workers of one process.
const (
	runWorkers   = 2
	otherWorkers = 4
)

// New returns a queue in a database whose tables Migrate has made. It does not run jobs before Start.
func New(db *sql.DB, d Dialect, log *slog.Logger) (*Queue, error) {
	drv, err := driver(db, d)
	if err != nil {
		return nil, err
	}
	q := &Queue{}
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(q.work))
	q.client, err = river.NewClient(drv, &river.Config{
		Workers:           workers,
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: otherWorkers}, queueRuns: {MaxWorkers: runWorkers}},
		PollOnly:          true,
		FetchCooldown:     20 * time.Millisecond,
		FetchPollInterval: 100 * time.Millisecond,
		JobTimeout:        -1,
		MaxAttempts:       100,
		RetryPolicy:       retryPolicy{},
		Logger:            slog.New(quiet{log.Handler()}),
	})
	if err != nil {
		return nil, fmt.Errorf("set up the queue: %w", err)
	}
	return q, nil
}

func (q *Queue) work(ctx context.Context, job *river.Job[args]) error {
	return q.handler(ctx, Job{Kind: job.Args.Work, ID: job.Args.ID})
}

// Enqueue records a job in the transaction that records its work.
func (q *Queue) Enqueue(ctx context.Context, tx *sql.Tx, j Job) error {
	opts := &river.InsertOpts{}
	if j.Kind == RunJob {
		opts.Queue = queueRuns
	}
	if _, err := q.client.InsertTx(ctx, tx, args{Work: j.Kind, ID: j.ID}, opts); err != nil {
		return fmt.Errorf("enqueue a %s job: %w", j.Kind, err)
	}
	return nil
}

// Start begins to run jobs with the handler.
func (q *Queue) Start(ctx context.Context, h Handler) error {
	q.handler = h
	// The client lives until Stop, not until ctx ends.
	if err := q.client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the queue: %w", err)
	}
	return nil
}

// Stop takes no more jobs and waits for the running ones; when ctx ends it cancels them. It may be called twice.
func (q *Queue) Stop(ctx context.Context) error {
	if err := q.client.Stop(ctx); err == nil {
		return nil
	}
	hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := q.client.StopAndCancel(hard); err != nil {
		return fmt.Errorf("stop the queue: %w", err)
	}
	return nil
}

// retryPolicy retries soon, then every half minute.
type retryPolicy struct{}

func (retryPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	wait := min(time.Second<<min(len(job.Errors), 5), 30*time.Second)
	return time.Now().UTC().Add(wait)
}

// quiet passes only warnings and errors of River on.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}

func (q quiet) WithAttrs(a []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(a)} }

func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name)} }
