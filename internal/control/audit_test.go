package control_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/control"
)

// log returns the whole audit log of the world's organization, the oldest entry first.
func (w *world) log() []audience.AuditEntry {
	w.t.Helper()
	list, err := w.store.Audit(w.t.Context(), w.editor.Scope.Org, audience.AuditQuery{Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list
}

// last returns the newest entry of the audit log.
func (w *world) last() audience.AuditEntry {
	w.t.Helper()
	log := w.log()
	if len(log) == 0 {
		w.t.Fatal("the audit log is empty")
	}
	return log[len(log)-1]
}

func TestAuditOfChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.editor.RequestID = "request-1"
	d := draft("people")
	d.Description, d.Labels, d.Tags = "of ada@example.com", []string{"core/C1"}, []string{"ada@example.com"}
	a := w.submit(d)
	e := w.last()
	want := audience.AuditEntry{ID: e.ID, Org: a.Scope.Org, Sandbox: "prod", At: w.clock.now(), ClientID: "client-1", RequestID: "request-1",
		Action: audience.AudienceCreate, Object: string(a.ID), Outcome: audience.Done, Labels: []string{"core/C1"}, After: e.After}
	if !reflect.DeepEqual(e, want) || e.After["name"] != "people" || e.Before != nil {
		t.Errorf("%+v", e)
	}
	if text := strings.Join([]string{e.After["description"].(string), e.After["tags"].(string)}, " "); strings.Contains(text, "example") || !strings.Contains(text, "sha256:") {
		t.Errorf("the log tells texts that people wrote: %s", text)
	}
	_, err := w.UpdateAudience(t.Context(), w.editor, a.ID, control.Patch{TTLDays: new(7), Description: new(d.Description), Labels: &[]string{"core/C2"}})
	if err != nil {
		t.Fatal(err)
	}
	e = w.last()
	if !reflect.DeepEqual(e.Before, map[string]any{"ttlInDays": 30.0, "labels": []any{"core/C1"}}) || !reflect.DeepEqual(e.After, map[string]any{"ttlInDays": 7.0, "labels": []any{"core/C2"}}) {
		t.Errorf("what changed: %v, %v", e.Before, e.After)
	}
	if !reflect.DeepEqual(e.Labels, []string{"core/C1", "core/C2"}) {
		t.Errorf("labels of the entry: %q", e.Labels)
	}
	run := w.start(a.ID)
	if e = w.last(); e.Action != audience.RunStart || e.Object != string(a.ID) || e.After["runId"] != string(run.ID) {
		t.Errorf("%+v", e)
	}
	if _, err := w.Upload(t.Context(), w.editor, "a/b.csv", whole(strings.NewReader("mail\n"))); err != nil {
		t.Fatal(err)
	}
	if e = w.last(); e.Action != audience.FileUpload || e.Object != "a/b.csv" || e.After["size"] != 5.0 {
		t.Errorf("%+v", e)
	}
}

func TestAuditOfRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := draft("people")
	d.Labels = []string{"custom/x"}
	a := w.submit(d)
	before := len(w.log())
	viewer, unlabelled := w.editor, w.editor
	viewer.Role, unlabelled.Grants = audience.Viewer, audience.Grants{"core/C1"}
	refused := func(what string, err error, code audience.Code, action audience.Action, missing ...string) {
		t.Helper()
		wantCode(t, what, err, code)
		if e := w.last(); e.Action != action || e.Outcome != audience.Refused || e.Code != code || e.Before != nil || e.After != nil || !reflect.DeepEqual(e.Missing, missing) {
			t.Errorf("%s: %+v", what, e)
		}
	}
	_, err := w.StartRun(t.Context(), viewer, a.ID, audience.RunRequest{})
	refused("no role", err, audience.Forbidden, audience.RunStart)
	_, err = w.StartRun(t.Context(), unlabelled, a.ID, audience.RunRequest{})
	refused("no label", err, audience.NotFound, audience.RunStart, "custom/x")
	_, err = w.UpdateAudience(t.Context(), unlabelled, a.ID, control.Patch{})
	refused("no label", err, audience.NotFound, audience.AudienceUpdate, "custom/x")
	_, err = w.Submit(t.Context(), unlabelled, d)
	refused("a label that is not held", err, audience.Forbidden, audience.AudienceCreate, "custom/x")
	_, err = w.Submit(t.Context(), w.editor, d)
	refused("a name that is taken", err, audience.Duplicate, audience.AudienceCreate)
	w.start(a.ID)
	_, err = w.StartRun(t.Context(), w.editor, a.ID, audience.RunRequest{})
	refused("a second run", err, audience.Impossible, audience.RunStart)
	if n := len(w.log()) - before; n != 7 {
		t.Errorf("%d entries", n)
	}
	_, err = w.UpdateAudience(t.Context(), w.editor, a.ID, control.Patch{TTLDays: new(0)})
	wantCode(t, "a change that is none", err, audience.Invalid)
	if n := len(w.log()) - before; n != 7 {
		t.Errorf("a request that was not understood is in the log")
	}
}

// TestAuditByHiddenName searches for entries about a hidden name. The result must not show that such entries exist.
func TestAuditByHiddenName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := draft("people")
	d.Labels = []string{"custom/x"}
	w.submit(d)
	_, err := w.Submit(t.Context(), w.editor, d)
	wantCode(t, "a name that is taken", err, audience.Duplicate)
	for _, of := range []struct {
		grants  audience.Grants
		entries int
	}{{audience.Grants{audience.AllLabels}, 1}, {audience.Grants{"core/C1"}, 0}} {
		admin := w.editor
		admin.Role, admin.Grants = audience.Admin, of.grants
		list, err := w.Audit(t.Context(), admin, audience.AuditQuery{Object: "people", Limit: 10})
		if err != nil || len(list) != of.entries {
			t.Errorf("who holds %v finds %+v, %v", of.grants, list, err)
		}
	}
}

// TestAuditWithTheChange lets the store fail. A change without its entry is not stored, nor an entry without its
// change.
func TestAuditWithTheChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("people"))
	before := len(w.log())
	w.store.failAfter(0)
	if _, err := w.UpdateAudience(t.Context(), w.editor, a.ID, control.Patch{TTLDays: new(7)}); !errors.Is(err, errDown) {
		t.Fatal(err)
	}
	if now, err := w.Audience(t.Context(), w.editor, a.ID); err != nil || now.TTLDays != 30 || len(w.log()) != before {
		t.Errorf("%d days, %d entries, %v", now.TTLDays, len(w.log()), err)
	}
	// A change without its own transaction does not count as done if its entry cannot be written.
	w.store.failAfter(0)
	if _, err := w.Upload(t.Context(), w.editor, "b.csv", whole(strings.NewReader("mail\n"))); !errors.Is(err, errDown) {
		t.Errorf("an upload without an entry: %v", err)
	}
	// A refusal keeps its error.
	viewer := w.editor
	viewer.Role = audience.Viewer
	w.store.failAfter(0)
	wantCode(t, "a refusal", w.DeleteAudience(t.Context(), viewer, a.ID), audience.Forbidden)
	w.store.failing(nil)
}

func TestAuditOfSchedules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := draft("daily")
	d.Schedule = audience.Schedule{Cron: "30 3 * * *"}
	a := w.submit(d)
	w.clock.advance(24 * time.Hour)
	w.handle(scheduleJob(a))
	if e := w.last(); e.Action != audience.RunStart || e.ClientID != audience.SystemUser || e.Object != string(a.ID) || e.Org != a.Scope.Org || e.Sandbox != "prod" {
		t.Errorf("%+v", e)
	}
}

func TestAuditIsForAdministrators(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := draft("people")
	d.Labels = []string{"custom/x"}
	w.submit(d)
	read := func(change func(a *audience.Actor), q audience.AuditQuery) ([]audience.AuditEntry, error) {
		a := w.editor
		a.Role = audience.Admin
		change(&a)
		return w.Audit(t.Context(), a, q)
	}
	_, err := read(func(a *audience.Actor) { a.Role = audience.Editor }, audience.AuditQuery{Limit: 1})
	wantCode(t, "an editor", err, audience.Forbidden)
	_, err = read(func(a *audience.Actor) {}, audience.AuditQuery{})
	wantCode(t, "no limit", err, audience.Invalid, "limit")
	_, err = read(func(a *audience.Actor) {}, audience.AuditQuery{Limit: 1, Sandbox: "dev"})
	wantCode(t, "another sandbox", err, audience.Forbidden)
	list, err := read(func(a *audience.Actor) {}, audience.AuditQuery{Limit: 1})
	if err != nil || len(list) != 1 || list[0].After == nil {
		t.Errorf("%+v, %v", list, err)
	}
	list, err = read(func(a *audience.Actor) { a.Grants = nil }, audience.AuditQuery{Limit: 1})
	if err != nil || len(list) != 1 || list[0].After != nil {
		t.Errorf("without the label: %+v, %v", list, err)
	}
	_, err = w.Submit(t.Context(), w.editor, d)
	wantCode(t, "a name that is taken", err, audience.Duplicate)
	if list, err = read(func(a *audience.Actor) { a.Grants = nil }, audience.AuditQuery{Limit: 1}); err != nil || list[0].Object != "" {
		t.Errorf("the name of what has a label is told: %+v, %v", list, err)
	}
	for name, change := range map[string]func(a *audience.Actor){
		"another sandbox":      func(a *audience.Actor) { a.Scope.Sandbox = "dev" },
		"another organization": func(a *audience.Actor) { a.Scope.Org, a.OrgRole = "other", audience.Admin },
	} {
		if list, err := read(change, audience.AuditQuery{Limit: 9}); err != nil || len(list) != 0 {
			t.Errorf("%s: %+v, %v", name, list, err)
		}
	}
}

// TestAuditOfLaterLabels adds a label to an existing audience. Its older entries are hidden too, also after the
// audience is deleted.
func TestAuditOfLaterLabels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, open := w.submit(draft("people")), w.submit(draft("others"))
	admin := w.editor
	admin.Role, admin.Grants = audience.Admin, nil
	told := func(id audience.ID) (names int) {
		t.Helper()
		list, err := w.Audit(t.Context(), admin, audience.AuditQuery{Limit: 100, Object: string(id)})
		if err != nil || len(list) == 0 {
			t.Fatal(list, err)
		}
		for _, e := range list {
			if e.Object != string(id) {
				t.Errorf("an entry without its id: %+v", e)
			}
			if e.Before != nil || e.After != nil {
				names++
			}
		}
		return names
	}
	if told(a.ID) != 1 || told(open.ID) != 1 {
		t.Error("what has no labels is hidden")
	}
	if _, err := w.UpdateAudience(t.Context(), w.editor, a.ID, control.Patch{Labels: &[]string{"custom/x"}}); err != nil {
		t.Fatal(err)
	}
	if told(a.ID) != 0 || told(open.ID) != 1 {
		t.Error("entries from before the label are told")
	}
	if err := w.DeleteAudience(t.Context(), w.editor, a.ID); err != nil {
		t.Fatal(err)
	}
	if told(a.ID) != 0 {
		t.Error("entries of what was deleted are told")
	}
	admin.Grants = audience.Grants{"custom/x"}
	if told(a.ID) != 3 {
		t.Error("entries are hidden from who holds the label")
	}
}
