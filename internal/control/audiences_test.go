package control_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/lake"
	"roster/internal/meta"
	"roster/internal/profile"
)

func patch() control.Patch { return control.Patch{Description: new("changed")} }

func TestUpdateAudience(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := draft("list")
	d.Labels, d.Fields[1].Labels = []string{"core/C1"}, []string{"core/C2"}
	a := w.submit(d)
	w.clock.advance(time.Minute)
	other := w.editor
	other.ClientID = "client-2"
	got, err := w.UpdateAudience(t.Context(), other, a.ID, control.Patch{
		Description: new("new"), Labels: new([]string{}), TTLDays: new(7),
		Fields: []control.FieldPatch{{Name: "MAIL", Labels: &[]string{"custom/deep", "core/I1"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := a
	want.Description, want.Labels, want.TTLDays = "new", nil, 7
	want.Fields = []audience.Field{a.Fields[0], a.Fields[1]}
	want.Fields[0].Labels = []string{"custom/deep", "core/I1"}
	want.UpdatedBy, want.UpdatedAt = "client-2", w.clock.now()
	for _, v := range []*audience.Audience{&got, new(w.stored(a.ID))} {
		if len(v.Labels) != 0 {
			t.Errorf("labels %q", v.Labels)
		}
		v.Labels = nil
		if !reflect.DeepEqual(*v, want) {
			t.Errorf("got %+v\nwant %+v", *v, want)
		}
	}
}

// A rename reaches the audience's table. A table that cannot be changed does not stop the rename.
func TestRenameReachesTheTable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("list"))
	named := func() string {
		w.lake.mu.Lock()
		defer w.lake.mu.Unlock()
		return w.lake.names[lake.TableOf(a.Scope, a.ID)]
	}
	if _, err := w.UpdateAudience(t.Context(), w.editor, a.ID, control.Patch{Name: new("customers")}); err != nil || named() != "customers" {
		t.Errorf("the table has the name %q: %v", named(), err)
	}
	w.lake.down(errors.New("the disk is full"))
	got, err := w.UpdateAudience(t.Context(), w.editor, a.ID, control.Patch{Name: new("clients")})
	if err != nil || got.Name != "clients" {
		t.Errorf("%q: %v", got.Name, err)
	}
}

func (w *world) stored(id audience.ID) audience.Audience {
	w.t.Helper()
	a, err := w.Audience(w.t.Context(), w.editor, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func TestUpdateRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("list"))
	for path, p := range map[string]control.Patch{
		"ttlInDays":                          {TTLDays: new(91), Description: new("x")},
		"ttlInDays: must":                    {TTLDays: new(0)},
		"labels[1]":                          {Labels: new([]string{"core/C1", "C2"})},
		"fields[1].name":                     {Fields: []control.FieldPatch{{Name: "mail"}, {Name: "nope"}}},
		"fields[2].name":                     {Fields: []control.FieldPatch{{Name: "mail"}, {Name: "points"}, {Name: "Mail ", Labels: &[]string{"core/C1"}}}},
		"fields[0].type: is \"string\"":      {Fields: []control.FieldPatch{{Name: "mail", Type: new("long")}}},
		"fields[0].identityNs: is \"Email\"": {Fields: []control.FieldPatch{{Name: "mail", IdentityNs: new("Phone")}}},
		"fields[0].identityNs: is \"\"":      {Fields: []control.FieldPatch{{Name: "points", IdentityNs: new("Email"), Labels: &[]string{"core/C1"}}}},
		"fields[0].role":                     {Fields: []control.FieldPatch{{Name: "points", Role: new("delete")}}},
		"fields[0].consentValues":            {Fields: []control.FieldPatch{{Name: "points", ConsentValues: &[]string{"yes"}}}},
		"fields[0].proposed":                 {Fields: []control.FieldPatch{{Name: "points", Proposed: new(true)}}},
		"fields[0].labels[0]":                {Fields: []control.FieldPatch{{Name: "mail", Labels: &[]string{"x"}}}},
		"description":                        {Description: new("\x00")},
		"tags[1]":                            {Tags: new([]string{"a", ""})},
	} {
		_, err := w.UpdateAudience(t.Context(), w.editor, a.ID, p)
		wantCode(t, path, err, audience.Invalid, path)
	}
	if got := w.stored(a.ID); !reflect.DeepEqual(got, a) {
		t.Errorf("refused changes left %+v\nof %+v", got, a)
	}
	elsewhere := w.editor
	elsewhere.Scope.Sandbox = "dev"
	for what, c := range map[string]struct {
		actor audience.Actor
		id    audience.ID
	}{
		"absent":          {w.editor, "0b6f3a57-1111-4222-8333-444455556666"},
		"no id":           {w.editor, "list"},
		"another sandbox": {elsewhere, a.ID},
	} {
		_, err := w.UpdateAudience(t.Context(), c.actor, c.id, patch())
		wantCode(t, what, err, audience.NotFound, string(c.id))
		wantCode(t, what, w.DeleteAudience(t.Context(), c.actor, c.id), audience.NotFound, string(c.id))
		_, err = w.StartRun(t.Context(), c.actor, c.id, audience.RunRequest{})
		wantCode(t, what, err, audience.NotFound, string(c.id))
		_, _, err = w.Runs(t.Context(), c.actor, c.id, runQuery())
		wantCode(t, what, err, audience.NotFound, string(c.id))
	}
}

func TestUpdateGuards(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("a"))
	percent, wrong := 5.0, 101.0
	guards := audience.Guards{MaxRejectedPercent: &percent, AllowMissingColumns: true}
	changed, err := w.UpdateAudience(t.Context(), w.editor, a.ID, control.Patch{Guards: &guards, KeepRejectedRows: new(true)})
	if err != nil || *changed.Guards.MaxRejectedPercent != 5 || !changed.Guards.AllowMissingColumns || !changed.KeepRejectedRows {
		t.Fatalf("%+v %v", changed, err)
	}
	_, err = w.UpdateAudience(t.Context(), w.editor, a.ID, control.Patch{Guards: &audience.Guards{MaxRemovedPercent: &wrong}})
	if audience.CodeOf(err) != audience.Invalid {
		t.Fatal(err)
	}
	if got := w.audience(a.ID); *got.Guards.MaxRejectedPercent != 5 || got.Guards.MaxRemovedPercent != nil {
		t.Fatalf("%+v", got.Guards)
	}
}

// TestStates sets the life cycle state and checks its effect on runs and look-ups.
func TestStates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if a := w.submit(draft("published at once")); a.State != audience.StatePublished {
		t.Errorf("a new audience is %q", a.State)
	}
	early := draft("a")
	early.State = audience.StateDraft
	a := w.submit(early)
	w.profile.member("Email", "ada@example.com", profile.Membership{Audience: a.Num, Seen: w.clock.now().Unix()})
	for _, c := range []struct {
		state       audience.State
		runs, shown bool
	}{
		{audience.StateDraft, true, false}, {audience.StateInactive, false, false}, {audience.StatePublished, true, true},
	} {
		if _, err := w.UpdateAudience(t.Context(), w.editor, a.ID, control.Patch{State: &c.state}); err != nil {
			t.Fatal(err)
		}
		if got := w.stored(a.ID).State; got != c.state {
			t.Errorf("%s was stored as %s", c.state, got)
		}
		if p := w.look("email", "ada@example.com"); p.Found != c.shown {
			t.Errorf("%s: found is %v", c.state, p.Found)
		}
		run, err := w.StartRun(t.Context(), w.editor, a.ID, audience.RunRequest{})
		if c.runs {
			if err != nil {
				t.Fatal(c.state, err)
			}
			w.handle(runJob(run))
		} else {
			wantCode(t, string(c.state), err, audience.Impossible, "inactive", "lifecycleState", string(a.ID))
		}
	}
	for _, was := range []audience.State{audience.StatePublished, audience.StateInactive} {
		if _, err := w.UpdateAudience(t.Context(), w.editor, a.ID, control.Patch{State: &was}); err != nil {
			t.Fatal(err)
		}
		_, err := w.UpdateAudience(t.Context(), w.editor, a.ID, control.Patch{State: new(audience.StateDraft)})
		wantCode(t, string(was), err, audience.Impossible, string(was), "draft", string(a.ID))
	}
	for _, state := range []audience.State{"deleted", "", "PUBLISHED"} {
		_, err := w.UpdateAudience(t.Context(), w.editor, a.ID, control.Patch{State: &state})
		wantCode(t, string(state), err, audience.Invalid, "lifecycleState", "published")
	}
}

// TestRename renames an audience. The new name is then taken.
func TestRename(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.submit(draft("a")), w.submit(draft("b"))
	renamed, err := w.UpdateAudience(t.Context(), w.editor, a.ID, control.Patch{Name: new("c")})
	if err != nil || renamed.Name != "c" || w.stored(a.ID).Name != "c" {
		t.Fatalf("%+v, %v", renamed, err)
	}
	if _, err := w.UpdateAudience(t.Context(), w.editor, a.ID, control.Patch{Name: new("c"), TTLDays: new(3)}); err != nil {
		t.Error("the same name again:", err)
	}
	_, err = w.UpdateAudience(t.Context(), w.editor, b.ID, control.Patch{Name: new("c")})
	wantCode(t, "a name that is taken", err, audience.Duplicate, `"c"`)
	for _, name := range []string{"", strings.Repeat("x", 300), "a\nb"} {
		_, err := w.UpdateAudience(t.Context(), w.editor, b.ID, control.Patch{Name: &name})
		wantCode(t, name, err, audience.Invalid, "name")
	}
	if got := w.stored(b.ID).Name; got != "b" {
		t.Errorf("b is called %q", got)
	}
	w.submit(draft("a")) // the former name can be used again
}

// TestAddLabelsAndTags appends values to the labels and tags of an audience.
func TestAddLabelsAndTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := draft("a")
	d.Labels, d.Tags = []string{"core/C1"}, []string{"x"}
	a := w.submit(d)
	for _, c := range []struct {
		patch        control.Patch
		labels, tags []string
	}{
		{control.Patch{AddLabels: []string{"core/C2", "core/C1", "core/C2"}, AddTags: []string{"y"}}, []string{"core/C1", "core/C2"}, []string{"x", "y"}},
		{control.Patch{Tags: new([]string{"z"}), AddTags: []string{"z", "x"}}, []string{"core/C1", "core/C2"}, []string{"z", "x"}},
	} {
		if _, err := w.UpdateAudience(t.Context(), w.editor, a.ID, c.patch); err != nil {
			t.Fatal(err)
		}
		if got := w.stored(a.ID); !slices.Equal(got.Labels, c.labels) || !slices.Equal(got.Tags, c.tags) {
			t.Errorf("%+v: %q, %q", c.patch, got.Labels, got.Tags)
		}
	}
	_, err := w.UpdateAudience(t.Context(), w.editor, a.ID, control.Patch{AddTags: []string{""}})
	wantCode(t, "an empty tag", err, audience.Invalid, "tags[2]")
	few := w.editor
	few.Grants = audience.Grants{"core/C1", "core/C2"}
	_, err = w.UpdateAudience(t.Context(), few, a.ID, control.Patch{AddLabels: []string{"core/C3"}})
	wantCode(t, "a label that is not held", err, audience.Forbidden)
}

// TestIfMatch changes and deletes an audience with its etag.
func TestIfMatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("a"))
	first := a.Etag()
	changed, err := w.UpdateAudience(t.Context(), w.editor, a.ID, control.Patch{Tags: new([]string{}), Labels: new([]string(nil)), IfMatch: []string{`"x"`, first}})
	if err != nil {
		t.Fatal(err)
	}
	if got := new(w.stored(a.ID)).Etag(); got != changed.Etag() || got == first {
		t.Errorf("the etag was %s, is answered as %s and read as %s", first, changed.Etag(), got)
	}
	_, err = w.UpdateAudience(t.Context(), w.editor, a.ID, control.Patch{Description: new("lost"), IfMatch: []string{first}})
	wantCode(t, "stale change", err, audience.Stale, string(a.ID))
	if got := w.stored(a.ID).Description; got != a.Description {
		t.Errorf("the stale change was made: %q", got)
	}
	w.handle(runJob(w.start(a.ID)))
	wantCode(t, "deletion as before the run", w.DeleteAudience(t.Context(), w.editor, a.ID, changed.Etag()), audience.Stale)
	w.update(func(tx meta.Tx) error { return tx.MarkMaintained(t.Context(), a.ID, w.clock.now()) })
	current := w.stored(a.ID)
	current.MaintainedAt = time.Time{} // no caller sees it
	if err := w.DeleteAudience(t.Context(), w.editor, a.ID, current.Etag()); err != nil {
		t.Error(err)
	}
}

// TestUpdateFieldsAsTheyAre sends complete fields back with changed labels.
func TestUpdateFieldsAsTheyAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("list"))
	changed, err := w.UpdateAudience(t.Context(), w.editor, a.ID, control.Patch{Fields: []control.FieldPatch{
		{Name: "mail", Type: new("string"), IdentityNs: new("email"), Role: new(""), ConsentValues: &[]string{}, Proposed: new(false), Labels: &[]string{"core/I1"}},
		{Name: "points", Type: new("long")},
	}})
	if err != nil || !slices.Equal(changed.Fields[0].Labels, []string{"core/I1"}) || len(changed.Fields[1].Labels) != 0 || changed.Fields[0].Type != audience.String {
		t.Errorf("%+v, %v", changed.Fields, err)
	}
}
