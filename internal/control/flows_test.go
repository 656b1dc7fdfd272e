package control_test

import (
	"slices"
	"testing"

	"roster/internal/audience"
	"roster/internal/control"
)

func TestFlows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.submit(draft("a")), w.submit(draft("b"))
	f, err := w.Flow(t.Context(), w.editor, audience.FlowID(a.ID))
	if err != nil || f.Audience.ID != a.ID || f.Newest != nil {
		t.Fatalf("a flow without runs: %+v, %v", f, err)
	}
	first := w.start(a.ID)
	w.handle(runJob(first))
	second := w.start(a.ID)
	other := w.start(b.ID)
	w.handle(runJob(other))
	if f, err := w.Flow(t.Context(), w.editor, first.FlowID); err != nil || f.Newest.ID != second.ID {
		t.Errorf("%+v, %v", f, err)
	}
	for i, st := range first.Stages {
		if r, stage, err := w.FlowRun(t.Context(), w.editor, st.FlowRunID); err != nil || r.ID != first.ID || stage != i {
			t.Errorf("flow run %s: stage %d of %s, %v", st.FlowRunID, stage, r.ID, err)
		}
	}
	for name, c := range map[string]struct {
		q    control.FlowRunQuery
		want []audience.RunID
	}{
		"a flow":                 {control.FlowRunQuery{FlowID: first.FlowID}, []audience.RunID{second.ID, first.ID}},
		"from a run":             {control.FlowRunQuery{FlowID: first.FlowID, From: &audience.Position{At: first.CreatedAt, Seq: first.Seq, ID: string(first.ID)}}, []audience.RunID{first.ID}},
		"a name":                 {control.FlowRunQuery{Name: "b"}, []audience.RunID{other.ID}},
		"a flow and its name":    {control.FlowRunQuery{FlowID: other.FlowID, Name: "b"}, []audience.RunID{other.ID}},
		"a flow of another name": {control.FlowRunQuery{FlowID: other.FlowID, Name: "a"}, nil},
		"no such name":           {control.FlowRunQuery{Name: "c"}, nil},
		"statuses":               {control.FlowRunQuery{Statuses: []audience.Status{audience.Processing}}, []audience.RunID{second.ID}},
	} {
		c.q.Limit = 10
		if runs, err := w.FlowRuns(t.Context(), w.editor, c.q); err != nil || !slices.Equal(runIDs(runs), c.want) {
			t.Errorf("%s: %v, %v, want %v", name, runIDs(runs), err, c.want)
		}
	}
	runs, err := w.FlowRuns(t.Context(), w.editor, control.FlowRunQuery{Limit: 10})
	if err != nil || len(runs) != 3 {
		t.Errorf("all: %v, %v", runIDs(runs), err)
	}
	flows, err := w.Flows(t.Context(), w.editor, "", nil, 10)
	if err != nil || len(flows) != 2 || flows[0].Newest == nil || flows[1].Newest == nil {
		t.Errorf("%+v, %v", flows, err)
	}
	if flows, err = w.Flows(t.Context(), w.editor, "b", nil, 10); err != nil || len(flows) != 1 || flows[0].Newest.ID != other.ID {
		t.Errorf("%+v, %v", flows, err)
	}

	elsewhere := w.editor
	elsewhere.Scope.Sandbox = "dev"
	_, err = w.Flow(t.Context(), elsewhere, first.FlowID)
	wantCode(t, "a flow of another sandbox", err, audience.NotFound)
	_, _, err = w.FlowRun(t.Context(), elsewhere, first.Stages[0].FlowRunID)
	wantCode(t, "a flow run of another sandbox", err, audience.NotFound)
	if runs, err := w.FlowRuns(t.Context(), elsewhere, control.FlowRunQuery{Limit: 10}); err != nil || len(runs) != 0 {
		t.Errorf("%+v, %v", runs, err)
	}
	_, _, err = w.FlowRun(t.Context(), w.editor, first.FlowID)
	wantCode(t, "a flow in the place of its run", err, audience.NotFound)
	_, err = w.FlowRuns(t.Context(), w.editor, control.FlowRunQuery{})
	wantCode(t, "no limit", err, audience.Invalid)
	if err := w.DeleteAudience(t.Context(), w.editor, a.ID); err != nil {
		t.Fatal(err)
	}
	_, err = w.Flow(t.Context(), w.editor, first.FlowID)
	wantCode(t, "a flow of a deleted audience", err, audience.NotFound)
}

func runIDs(runs []audience.Run) (ids []audience.RunID) {
	for i := range runs {
		ids = append(ids, runs[i].ID)
	}
	return ids
}
