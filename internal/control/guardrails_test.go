package control_test

import (
	"fmt"
	"testing"
	"time"

	"roster/internal/audience"
)

// runs starts n runs of an audience and completes each, one per minute.
func (w *world) runs(id audience.ID, n int, req audience.RunRequest) error {
	w.t.Helper()
	for range n {
		run, err := w.StartRun(w.t.Context(), w.editor, id, req)
		if err != nil {
			return err
		}
		w.handle(runJob(run))
		w.clock.advance(time.Minute)
	}
	return nil
}

func TestGuardrailOfAnAudience(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config("worker-1")
	cfg.Guardrails = true
	w.use(cfg)
	aud := w.submit(draft("a"))
	if err := w.runs(aud.ID, 10, audience.RunRequest{}); err != nil {
		t.Fatal(err)
	}
	err := w.runs(aud.ID, 1, audience.RunRequest{})
	wantCode(t, "an eleventh run", err, audience.TooMany, "the audience", "10 runs")
	if got, want := audience.AsError(err).RetryAfter, 24*time.Hour-10*time.Minute; got != want {
		t.Errorf("retry after %v, want %v", got, want)
	}
	if err := w.runs(aud.ID, 1, audience.RunRequest{DryRun: true}); err != nil {
		t.Errorf("a dry run: %v", err)
	}
	w.clock.advance(24*time.Hour - 10*time.Minute)
	if err := w.runs(aud.ID, 1, audience.RunRequest{}); err != nil {
		t.Errorf("a day later: %v", err)
	}
}

func TestGuardrailOfASandbox(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config("worker-1")
	cfg.Guardrails = true
	w.use(cfg)
	for i := range 10 {
		aud := w.submit(draft(fmt.Sprint("a", i)))
		if err := w.runs(aud.ID, 10, audience.RunRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	aud := w.submit(draft("last"))
	wantCode(t, "a run too many", w.runs(aud.ID, 1, audience.RunRequest{}), audience.TooMany, "the sandbox prod", "100 runs")
}
