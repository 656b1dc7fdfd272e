package control_test

import (
	"context"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/ingest"
)

func TestExtendTTL(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("a"))
	_, err := w.ExtendTTL(t.Context(), w.editor, a.ID)
	wantCode(t, "without a run", err, audience.Impossible, "no run of audience")
	ingested := w.start(a.ID)
	_, err = w.ExtendTTL(t.Context(), w.editor, a.ID)
	wantCode(t, "beside the first run", err, audience.Impossible)
	w.handle(runJob(ingested))
	_, err = w.ExtendTTL(t.Context(), audience.Actor{Scope: w.editor.Scope, Role: audience.Viewer}, a.ID)
	wantCode(t, "by a viewer", err, audience.Forbidden)
	elsewhere := w.editor
	elsewhere.Scope.Sandbox = "dev"
	_, err = w.ExtendTTL(t.Context(), elsewhere, a.ID)
	wantCode(t, "from another sandbox", err, audience.NotFound)

	w.clock.advance(a.TTL() - time.Minute)
	run, err := w.ExtendTTL(t.Context(), w.editor, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if run.Request.Kind != audience.RunExtend || !run.Request.Differential || run.CreatedBy != w.editor.ClientID {
		t.Errorf("%+v", run)
	}
	_, err = w.ExtendTTL(t.Context(), w.editor, a.ID)
	wantCode(t, "twice at once", err, audience.Impossible, string(run.ID))
	opened := false
	w.pipeline.set(func(ctx context.Context, s ingest.Spec) (audience.Run, error) {
		opened = s.Source != nil
		r, err := succeed(ctx, s)
		r.Result = audience.RunResult{RefreshedAt: s.Run.CreatedAt.Truncate(time.Second), Members: audience.Members{Before: 1, After: 1}}
		return r, err
	})
	w.handle(runJob(run))
	got := w.stored(a.ID)
	if want := run.CreatedAt.Truncate(time.Second).Add(a.TTL()); opened || got.LastRun != ingested.ID || !got.ExpiresAt().Equal(want) {
		t.Errorf("last run %s, expires at %s, want %s and %s", got.LastRun, got.ExpiresAt(), ingested.ID, want)
	}

	w.clock.advance(a.TTL())
	_, err = w.ExtendTTL(t.Context(), w.editor, a.ID)
	wantCode(t, "after the end", err, audience.Impossible, "have expired")

	w.pipeline.set(func(ctx context.Context, s ingest.Spec) (audience.Run, error) {
		r, err := succeed(ctx, s)
		r.Result = audience.RunResult{}
		return r, err
	})
	w.handle(runJob(w.start(a.ID)))
	_, err = w.ExtendTTL(t.Context(), w.editor, a.ID)
	wantCode(t, "of nobody", err, audience.Impossible, "no members")
}
