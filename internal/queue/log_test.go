package queue_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"roster/internal/job"
	"roster/internal/queue"
)

// lines takes log lines and tells when there is one of failure.
type lines struct {
	mu     sync.Mutex
	text   bytes.Buffer
	once   sync.Once
	failed chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.text.Write(p)
	if bytes.Contains(p, []byte("a job failed")) {
		l.once.Do(func() { close(l.failed) })
	}
	return n, err
}

// TestFailuresHaveTenant has a job fail: its log line says in which organization and sandbox it was.
func TestFailuresHaveTenant(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("down") },
		"panic": func() error { panic("down") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hasTenant(t, fail)
		})
	}
}

func hasTenant(t *testing.T, fail func() error) {
	eachDatabase(t, func(t *testing.T, db *sql.DB, d queue.Dialect) {
		log := &lines{failed: make(chan struct{})}
		q, err := queue.New(db, d, slog.New(slog.NewTextHandler(log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		err = q.Start(t.Context(), func(ctx context.Context, _ job.Job) error {
			job.SetLogAttributes(ctx, "ABC@RosterOrg", "prod")
			return fail()
		})
		if err != nil {
			t.Fatal(err)
		}
		enqueue(t, db, q, true, job.Job{Kind: job.Run, ID: "r"})
		<-log.failed
		if err := q.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if text := log.text.String(); !strings.Contains(text, "organization=ABC@RosterOrg") || !strings.Contains(text, "sandbox=prod") {
			t.Error(text)
		}
	})
}
