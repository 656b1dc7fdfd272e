package control_test

import (
	"testing"

	"roster/internal/audience"
	"roster/internal/meta"
)

func TestFlows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.submit(draft("a")), w.submit(draft("b"))
	aud, newest, err := w.Flow(t.Context(), w.editor, meta.FlowID(a.ID))
	if err != nil || aud.ID != a.ID || newest != nil {
		t.Fatalf("a flow without runs: %+v, %v, %v", aud, newest, err)
	}
	first := w.start(a.ID)
	w.handle(runJob(first))
	second := w.start(a.ID)
	w.handle(runJob(w.start(b.ID)))
	if _, newest, err := w.Flow(t.Context(), w.editor, first.FlowID); err != nil || newest.ID != second.ID {
		t.Errorf("%+v, %v", newest, err)
	}
	for i, st := range first.Stages {
		if r, stage, err := w.FlowRun(t.Context(), w.editor, st.FlowRunID); err != nil || r.ID != first.ID || stage != i {
			t.Errorf("flow run %s: stage %d of %s, %v", st.FlowRunID, stage, r.ID, err)
		}
	}
	runs, err := w.FlowRuns(t.Context(), w.editor, first.FlowID, 0, 10)
	if err != nil || len(runs) != 2 || runs[0].ID != second.ID || runs[1].ID != first.ID {
		t.Errorf("%+v, %v", runs, err)
	}
	if runs, err = w.FlowRuns(t.Context(), w.editor, first.FlowID, second.Seq, 10); err != nil || len(runs) != 1 || runs[0].ID != first.ID {
		t.Errorf("%+v, %v", runs, err)
	}

	elsewhere := w.editor
	elsewhere.Scope.Sandbox = "dev"
	_, _, err = w.Flow(t.Context(), elsewhere, first.FlowID)
	wantCode(t, "a flow of another sandbox", err, audience.NotFound)
	_, _, err = w.FlowRun(t.Context(), elsewhere, first.Stages[0].FlowRunID)
	wantCode(t, "a flow run of another sandbox", err, audience.NotFound)
	if runs, err := w.FlowRuns(t.Context(), elsewhere, first.FlowID, 0, 10); err != nil || len(runs) != 0 {
		t.Errorf("%+v, %v", runs, err)
	}
	_, _, err = w.FlowRun(t.Context(), w.editor, first.FlowID)
	wantCode(t, "a flow in the place of its run", err, audience.NotFound)
	_, err = w.FlowRuns(t.Context(), w.editor, first.FlowID, 0, 0)
	wantCode(t, "no limit", err, audience.Invalid)
	if err := w.DeleteAudience(t.Context(), w.editor, a.ID); err != nil {
		t.Fatal(err)
	}
	_, _, err = w.Flow(t.Context(), w.editor, first.FlowID)
	wantCode(t, "a flow of a deleted audience", err, audience.NotFound)
}
