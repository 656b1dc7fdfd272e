package queue_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"roster/internal/job"
	"roster/internal/queue"
)

// databases are where the queue is tested: SQLite always, PostgreSQL when there is one.
var databases = map[queue.Dialect]func(t *testing.T) *sql.DB{
	queue.SQLite: func(t *testing.T) *sql.DB {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "q.db")+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)&_txlock=immediate")
		if err != nil {
			t.Fatal(err)
		}
		db.SetMaxOpenConns(1)
		return db
	},
	queue.Postgres: func(t *testing.T) *sql.DB {
		base := os.Getenv("ROSTER_TEST_POSTGRES_URL")
		if base == "" {
			t.Skip("set ROSTER_TEST_POSTGRES_URL to the URL of an empty PostgreSQL database to run this test")
		}
		admin, err := sql.Open("pgx", base)
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("queue_%d_%d", os.Getpid(), schemas.Add(1))
		if _, err := admin.Exec(`CREATE SCHEMA ` + name); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { admin.Exec(`DROP SCHEMA ` + name + ` CASCADE`); admin.Close() })
		u, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Set("search_path", name)
		u.RawQuery = q.Encode()
		db, err := sql.Open("pgx", u.String())
		if err != nil {
			t.Fatal(err)
		}
		return db
	},
}

var schemas atomic.Int64

func eachDatabase(t *testing.T, test func(t *testing.T, db *sql.DB, d queue.Dialect)) {
	for d, open := range databases {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			db := open(t)
			t.Cleanup(func() { db.Close() })
			if err := queue.Migrate(t.Context(), db, d); err != nil {
				t.Fatal(err)
			}
			test(t, db, d)
		})
	}
}

func newQueue(t *testing.T, db *sql.DB, d queue.Dialect) *queue.Queue {
	t.Helper()
	q, err := queue.New(db, d, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func enqueue(t *testing.T, db *sql.DB, q *queue.Queue, commit bool, jobs ...job.Job) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for _, j := range jobs {
		if err := q.Enqueue(t.Context(), tx, j); err != nil {
			t.Fatal(err)
		}
	}
	if commit {
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		for _, j := range jobs {
			q.Wake(j.Kind)
		}
	}
}

// TestWake does jobs one after the other, each enqueued when the one before has ended. By polling they would take minutes.
func TestWake(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, db *sql.DB, d queue.Dialect) {
		q := newQueue(t, db, d)
		done := make(chan job.Job)
		if err := q.Start(t.Context(), func(_ context.Context, j job.Job) error { done <- j; return nil }); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for i := range 30 {
			j := job.Job{Kind: []job.Kind{job.Run, job.Task, job.Erase}[i%3], ID: fmt.Sprint(i)}
			enqueue(t, db, q, true, j)
			select {
			case got := <-done:
				if got != j {
					t.Errorf("%+v ran, want %+v", got, j)
				}
			case <-ctx.Done():
				t.Fatalf("%d jobs ran", i)
			}
		}
		stop(t, q)
	})
}

func stop(t *testing.T, q *queue.Queue) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := q.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func TestJobsOfCommittedTransactionsRun(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, db *sql.DB, d queue.Dialect) {
		q := newQueue(t, db, d)
		enqueue(t, db, q, false, job.Job{Kind: job.Run, ID: "rolled back"})
		want := map[job.Job]bool{{Kind: job.Task, ID: "t"}: true, {Kind: job.Run, ID: "r"}: true, {Kind: job.Cleanup, ID: "s"}: true}
		for j := range want {
			enqueue(t, db, q, true, j)
		}
		got := make(chan job.Job, 10)
		if err := q.Start(t.Context(), func(_ context.Context, j job.Job) error { got <- j; return nil }); err != nil {
			t.Fatal(err)
		}
		for range want {
			if j := <-got; !want[j] {
				t.Errorf("unexpected job %+v", j)
			}
		}
		stop(t, q)
		stop(t, q)
		if len(got) > 0 {
			t.Errorf("%d jobs too many, one is %+v", len(got), <-got)
		}
	})
}

func TestFailedJobRunsAgain(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, db *sql.DB, d queue.Dialect) {
		q := newQueue(t, db, d)
		enqueue(t, db, q, true, job.Job{Kind: job.Task, ID: "t"})
		var calls atomic.Int32
		done := make(chan struct{})
		err := q.Start(t.Context(), func(context.Context, job.Job) error {
			if calls.Add(1) == 1 {
				return errors.New("not yet")
			}
			close(done)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		<-done
		stop(t, q)
	})
}

func TestStopCancelsWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, db *sql.DB, d queue.Dialect) {
		q := newQueue(t, db, d)
		enqueue(t, db, q, true, job.Job{Kind: job.Run, ID: "r"})
		started := make(chan struct{})
		err := q.Start(t.Context(), func(ctx context.Context, _ job.Job) error {
			close(started)
			<-ctx.Done()
			return ctx.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		<-started
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := q.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestStopWaits(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, db *sql.DB, d queue.Dialect) {
		q := newQueue(t, db, d)
		enqueue(t, db, q, true, job.Job{Kind: job.Run, ID: "r"})
		started, release := make(chan struct{}), make(chan struct{})
		var ended atomic.Bool
		err := q.Start(t.Context(), func(ctx context.Context, _ job.Job) error {
			close(started)
			<-release
			ended.Store(ctx.Err() == nil)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		<-started
		stopped := make(chan struct{})
		go func() { defer close(stopped); stop(t, q) }()
		close(release)
		<-stopped
		if !ended.Load() {
			t.Error("Stop did not wait for the job, or cancelled it")
		}
		if n := unfinished(t, db); n != 0 {
			t.Errorf("%d jobs are left", n)
		}
	})
}

// TestStoppedJobRunsAfterTheNextStart also has a handler that hides why it ended.
func TestStoppedJobRunsAfterTheNextStart(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, db *sql.DB, d queue.Dialect) {
		first := newQueue(t, db, d)
		run := job.Job{Kind: job.Run, ID: "r"}
		enqueue(t, db, first, true, run)
		started := make(chan struct{})
		err := first.Start(t.Context(), func(ctx context.Context, _ job.Job) error {
			close(started)
			<-ctx.Done()
			return errors.New("the disk went away")
		})
		if err != nil {
			t.Fatal(err)
		}
		<-started
		now, cancel := context.WithCancel(context.Background())
		cancel()
		if err := first.Stop(now); err != nil {
			t.Fatal(err)
		}

		second := newQueue(t, db, d)
		enqueue(t, db, second, true, run) // as recovery does; the stopped job waits already
		if n := unfinished(t, db); n != 1 {
			t.Errorf("%d jobs wait", n)
		}
		again := make(chan job.Job, 2)
		if err := second.Start(t.Context(), func(_ context.Context, j job.Job) error { again <- j; return nil }); err != nil {
			t.Fatal(err)
		}
		if j := <-again; j != run {
			t.Errorf("%+v ran", j)
		}
		stop(t, second)
	})
}

// TestKilledProcess has jobs that are still marked as running, as a process that was killed leaves them. Recovery
// enqueues them anew, every few seconds.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, db *sql.DB, d queue.Dialect) {
		q := newQueue(t, db, d)
		run := job.Job{Kind: job.Run, ID: "r"}
		for deaths := range 2 { // of the first process, and of the one that took its work up
			for range 3 {
				enqueue(t, db, q, true, run)
			}
			if n := unfinished(t, db); n != deaths+1 {
				t.Fatalf("%d jobs after %d deaths", n, deaths)
			}
			if _, err := db.ExecContext(t.Context(), `UPDATE river_job SET state = 'running', attempt = 1 WHERE state = 'available'`); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			enqueue(t, db, q, true, run, job.Job{Kind: job.Task, ID: "r"})
		}
		if n := unfinished(t, db); n != 4 {
			t.Errorf("%d jobs are there, want two dead ones and two new ones", n)
		}
		got := make(chan job.Job, 10)
		if err := q.Start(t.Context(), func(_ context.Context, j job.Job) error { got <- j; return nil }); err != nil {
			t.Fatal(err)
		}
		if a, b := <-got, <-got; a == b {
			t.Errorf("%+v ran twice", a)
		}
		stop(t, q)
		if n := unfinished(t, db); n != 2 {
			t.Errorf("%d jobs are left, want the two dead ones", n)
		}
	})
}

// unfinished counts the jobs that wait or are marked as running.
func unfinished(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	err := db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM river_job WHERE state NOT IN ('completed', 'cancelled', 'discarded')`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestUnknownKind(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, db *sql.DB, d queue.Dialect) {
		q := newQueue(t, db, d)
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if err := q.Enqueue(t.Context(), tx, job.Job{Kind: "nonsense", ID: "x"}); err == nil {
			t.Error("a job of an unknown kind was accepted")
		}
	})
	if _, err := queue.New(nil, "oracle", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("an unknown database was accepted")
	}
}

func TestMigrateAtOnce(t *testing.T) {
	t.Parallel()
	for d, open := range databases {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			db := open(t)
			t.Cleanup(func() { db.Close() })
			if d == queue.SQLite { // one process only: again, not at once
				for range 2 {
					if err := queue.Migrate(t.Context(), db, d); err != nil {
						t.Error(err)
					}
				}
				return
			}
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					if err := queue.Migrate(t.Context(), db, d); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		})
	}
}

// TestClockPutBack has jobs, one of them tried before, and a leader of a time when the clock was a year ahead.
func TestClockPutBack(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, db *sql.DB, d queue.Dialect) {
		q := newQueue(t, db, d)
		waiting, retried := job.Job{Kind: job.Task, ID: "waiting"}, job.Job{Kind: job.Run, ID: "retried"}
		enqueue(t, db, q, true, waiting, retried)
		later := "now() + interval '1 year'"
		if d == queue.SQLite {
			later = "strftime('%Y-%m-%d %H:%M:%f', 'now', '+1 year')"
		}
		for _, text := range []string{
			`UPDATE river_job SET scheduled_at = ` + later,
			`UPDATE river_job SET state = 'retryable', attempt = 1 WHERE queue = 'run'`,
			`INSERT INTO river_leader (elected_at, expires_at, leader_id, name) VALUES (` + later + `, ` + later + `, 'gone', 'default')`,
		} {
			if _, err := db.Exec(text); err != nil {
				t.Fatal(err)
			}
		}
		if err := q.ResetFutureTimes(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := make(chan job.Job, 2)
		if err := q.Start(t.Context(), func(_ context.Context, j job.Job) error { got <- j; return nil }); err != nil {
			t.Fatal(err)
		}
		defer stop(t, q)
		if one, two := <-got, <-got; one == two || one != waiting && one != retried || two != waiting && two != retried {
			t.Errorf("%v and %v ran", one, two)
		}
	})
}
