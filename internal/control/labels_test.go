package control_test

import (
	"testing"

	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/identity"
	"roster/internal/profile"
)

// TestLabelsHide reads and changes an audience as a caller who does not hold its label. For this caller the audience
// does not exist.
func TestLabelsHide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := draft("people")
	d.Labels = []string{"custom/x", "core/C1"}
	a := w.submit(d)
	run := w.start(a.ID)
	w.handle(runJob(run))
	run = w.run(a.ID, run.ID)
	who := control.IdentityRef{ID: "ada@example.com", Namespace: "Email"}
	w.profile.members[identity.KeyOf("Email", []byte(who.ID))] = []profile.Membership{{Audience: a.Num, Primary: true, Seen: w.clock.now().Unix()}}
	ctx := t.Context()
	calls := map[string]func(actor audience.Actor) error{
		"audience": func(actor audience.Actor) error { _, err := w.Audience(ctx, actor, a.ID); return err },
		"update": func(actor audience.Actor) error {
			_, err := w.UpdateAudience(ctx, actor, a.ID, control.Patch{})
			return err
		},
		"task": func(actor audience.Actor) error { _, err := w.Task(ctx, actor, a.TaskID); return err },
		"run":  func(actor audience.Actor) error { _, err := w.Run(ctx, actor, a.ID, run.ID); return err },
		"runs": func(actor audience.Actor) error {
			_, _, err := w.Runs(ctx, actor, a.ID, audience.RunQuery{})
			return err
		},
		"flow": func(actor audience.Actor) error { _, err := w.Flow(ctx, actor, run.FlowID); return err },
		"flow run": func(actor audience.Actor) error {
			_, _, err := w.FlowRun(ctx, actor, run.Stages[0].FlowRunID)
			return err
		},
		"rejects": func(actor audience.Actor) error {
			_, err := w.Rejects(ctx, actor, a.ID, run.ID, 0, nil)
			return err
		},
	}
	for _, c := range []struct {
		grants audience.Grants
		sees   bool
	}{{nil, false}, {audience.Grants{"core/C1"}, false}, {audience.Grants{"core/C1", "custom/x"}, true}, {audience.Grants{audience.AllLabels}, true}} {
		actor := w.editor
		actor.Grants = c.grants
		for name, call := range calls {
			if err := call(actor); c.sees && err != nil {
				t.Errorf("%s with %q: %v", name, c.grants, err)
			} else if !c.sees {
				wantCode(t, name, err, audience.NotFound)
			}
		}
		list, total, err := w.Audiences(ctx, actor, audience.AudienceQuery{})
		if err != nil || (len(list) == 1) != c.sees || total != len(list) {
			t.Errorf("the list with %q has %d of %d: %v", c.grants, len(list), total, err)
		}
		byID, err := w.AudiencesByID(ctx, actor, []audience.ID{a.ID})
		if err != nil || (len(byID) == 1) != c.sees {
			t.Errorf("by id with %q: %v, %v", c.grants, byID, err)
		}
		runs, err := w.FlowRuns(ctx, actor, control.FlowRunQuery{Limit: 1})
		if err != nil || (len(runs) == 1) != c.sees {
			t.Errorf("flow runs with %q: %d, %v", c.grants, len(runs), err)
		}
		flows, err := w.Flows(ctx, actor, "", nil, 1)
		if err != nil || (len(flows) == 1) != c.sees {
			t.Errorf("flows with %q: %d, %v", c.grants, len(flows), err)
		}
		found, err := w.Lookup(ctx, actor, []control.IdentityRef{who}, control.LookupOptions{})
		if err != nil || found[0].Found != c.sees || (len(found[0].Memberships) == 1) != c.sees || found[0].Primary != c.sees {
			t.Errorf("look-up with %q: %+v, %v", c.grants, found, err)
		}
	}
}

// TestTaskOfALaterLabel gives an audience a label after its task has ended.
func TestTaskOfALaterLabel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("people"))
	actor := w.editor
	actor.Grants = nil
	patch := control.Patch{Fields: []control.FieldPatch{{Name: "points", Labels: &[]string{"custom/p"}}}}
	if _, err := w.UpdateAudience(t.Context(), w.editor, a.ID, patch); err != nil {
		t.Fatal(err)
	}
	task, err := w.Task(t.Context(), actor, a.TaskID)
	if err != nil || len(task.Draft.Fields) != 1 {
		t.Errorf("%+v, %v", task.Draft.Fields, err)
	}
	if _, err := w.UpdateAudience(t.Context(), w.editor, a.ID, control.Patch{Labels: &[]string{"custom/x"}}); err != nil {
		t.Fatal(err)
	}
	_, err = w.Task(t.Context(), actor, a.TaskID)
	wantCode(t, "the task of an audience with a label", err, audience.NotFound)
}
