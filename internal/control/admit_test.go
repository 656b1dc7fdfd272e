package control_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/job"
	"roster/internal/landing"
	"roster/internal/meta"
	"roster/internal/source"
)

// limited is a world with low limits, and a second sandbox.
func newLimited(t *testing.T) (w *world, elsewhere audience.Actor) {
	w = newWorld(t)
	cfg := w.config("worker-1")
	cfg.Limits = control.Limits{Runs: 2, Submits: 2, Uploads: 1, Looks: 1}
	w.use(cfg)
	elsewhere = w.editor
	elsewhere.Scope.Sandbox = "other"
	sandbox := audience.Sandbox{ID: "6f0c9a4e-1111-4222-8333-444455556666", Org: elsewhere.Scope.Org, Name: "other", Type: "development", CreatedAt: w.clock.now()}
	if err := w.store.Update(t.Context(), func(tx meta.Tx) error { return tx.CreateSandbox(t.Context(), &sandbox) }); err != nil {
		t.Fatal(err)
	}
	return w, elsewhere
}

// tooMany requires a refusal with a time to retry.
func tooMany(t *testing.T, what string, err error) {
	t.Helper()
	wantCode(t, what, err, audience.TooMany, "the limit of a sandbox")
	var e *audience.Error
	if errors.As(err, &e) && e.RetryAfter <= 0 {
		t.Errorf("%s: no time to come back", what)
	}
}

// TestLimitsOfWork fills a sandbox with the maximum number of submits and runs. Another sandbox has its own limits, and
// the end of a submit or run makes room.
func TestLimitsOfWork(t *testing.T) {
	t.Parallel()
	w, elsewhere := newLimited(t)
	var tasks []audience.Task
	for i := range 2 {
		task, err := w.Submit(t.Context(), w.editor, draft(fmt.Sprint("people ", i)))
		if err != nil {
			t.Fatal(err)
		}
		tasks = append(tasks, task)
	}
	_, err := w.Submit(t.Context(), w.editor, draft("one too many"))
	tooMany(t, "a third submit", err)
	if _, err := w.Submit(t.Context(), elsewhere, draft("one too many")); err != nil {
		t.Errorf("in another sandbox: %v", err)
	}
	for _, task := range tasks {
		w.handle(job.Job{Kind: job.Task, ID: string(task.ID)})
	}
	third := w.submit(draft("third"))
	var runs []audience.Run
	for _, task := range tasks {
		runs = append(runs, w.start(task.AudienceID))
	}
	_, err = w.StartRun(t.Context(), w.editor, third.ID, audience.RunRequest{Differential: true})
	tooMany(t, "a third run", err)
	w.handle(job.Job{Kind: job.Run, ID: string(runs[0].ID)})
	w.start(third.ID)
}

// TestLimitsAtOnce sends many requests in parallel. No more than the limit are accepted.
func TestLimitsAtOnce(t *testing.T) {
	t.Parallel()
	w, _ := newLimited(t)
	var mu sync.Mutex
	in := 0
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			_, err := w.Submit(t.Context(), w.editor, draft(fmt.Sprint("people ", i)))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				in++
			} else if audience.CodeOf(err) != audience.TooMany {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if tasks, _, err := w.store.UnfinishedIn(t.Context(), w.editor.Scope); err != nil || in == 0 || in > 2 || tasks != in {
		t.Errorf("%d submits got in, %d are stored, %v", in, tasks, err)
	}
}

// stalled is a body that stops.
type stalled struct{ begun, release chan struct{} }

func (s stalled) Read([]byte) (int, error) {
	close(s.begun)
	<-s.release
	return 0, errors.New("it broke off")
}

func TestLimitOfUploads(t *testing.T) {
	t.Parallel()
	w, elsewhere := newLimited(t)
	body := stalled{make(chan struct{}), make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = w.Upload(t.Context(), w.editor, "slow.csv", landing.Upload{Body: body}) })
	<-body.begun
	_, err := w.Upload(t.Context(), w.editor, "b.csv", landing.Upload{})
	tooMany(t, "a second upload", err)
	_, err = w.Upload(t.Context(), elsewhere, "..", landing.Upload{})
	wantCode(t, "in another sandbox", err, audience.Invalid)
	close(body.release)
	wg.Wait()
}

// TestLimitOfLooks has a source that does not respond.
func TestLimitOfLooks(t *testing.T) {
	t.Parallel()
	w, _ := newLimited(t)
	cfg := w.config("worker-1")
	cfg.Limits = control.Limits{Looks: 1}
	opened := make(chan struct{})
	cfg.Open = func(ctx context.Context, _ audience.Scope, _ *audience.Connection) (source.Store, error) {
		close(opened)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	w.use(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = w.ExploreFolder(ctx, w.editor, "", "") })
	<-opened
	_, err := w.ExploreFolder(t.Context(), w.editor, "", "")
	tooMany(t, "a second look", err)
	_, err = w.Validate(t.Context(), w.editor, draft("people"), 10, false)
	tooMany(t, "a validation", err)
	cancel()
	wg.Wait()
}
