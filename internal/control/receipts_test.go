package control_test

import (
	"context"
	"strings"
	"testing"

	"roster/internal/audience"
	"roster/internal/ingest"
)

// TestReceipt requests the receipts of runs in every state, and one with the rights of other callers.
func TestReceipt(t *testing.T) {
	t.Parallel()
	l := newListed(t)
	ended := l.ended()
	start := func(req audience.RunRequest) audience.Run {
		t.Helper()
		r, err := l.StartRun(t.Context(), l.editor, l.aud.ID, req)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	receipt := func(a audience.Actor, id audience.ID, run audience.RunID) error {
		_, err := l.Receipt(t.Context(), a, id, run)
		return err
	}

	viewer := l.editor
	viewer.Role = audience.Viewer
	r, err := l.Receipt(t.Context(), viewer, l.aud.ID, ended.ID)
	if err != nil || r.RunID != ended.ID || !strings.HasSuffix(r.Location, string(l.aud.ID)) {
		t.Fatalf("%+v, %v", r, err)
	}

	for name, change := range map[string]func(a *audience.Actor){
		"organization": func(a *audience.Actor) { a.Scope.Org = "DEF@RosterOrg" },
		"sandbox":      func(a *audience.Actor) { a.Scope.Sandbox = "dev" },
	} {
		a := l.editor
		change(&a)
		wantCode(t, "another "+name, receipt(a, l.aud.ID, ended.ID), audience.NotFound, string(l.aud.ID))
	}
	nobody := l.editor
	nobody.Role = ""
	wantCode(t, "no role", receipt(nobody, l.aud.ID, ended.ID), audience.Forbidden, "role")
	other := l.submit(draft("other"))
	wantCode(t, "another audience", receipt(l.editor, other.ID, ended.ID), audience.NotFound, string(ended.ID))

	rehearsed := start(audience.RunRequest{DryRun: true})
	wantCode(t, "in progress", receipt(l.editor, l.aud.ID, rehearsed.ID), audience.Impossible, "PROCESSING")
	l.handle(runJob(rehearsed))
	wantCode(t, "a dry run", receipt(l.editor, l.aud.ID, rehearsed.ID), audience.Impossible, "SUCCESS, a dry run")
	failed := start(audience.RunRequest{})
	l.pipeline.set(func(_ context.Context, s ingest.Spec) (audience.Run, error) {
		s.Run.Status, s.Run.Error = audience.Failed, audience.Errorf(audience.Impossible, "in.csv is empty")
		return s.Run, nil
	})
	l.handle(runJob(failed))
	wantCode(t, "failed", receipt(l.editor, l.aud.ID, failed.ID), audience.Impossible, "FAILED")

	if err := l.DeleteAudience(t.Context(), l.editor, l.aud.ID); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "a deleted audience", receipt(l.editor, l.aud.ID, ended.ID), audience.NotFound, "")
}
