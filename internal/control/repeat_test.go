package control_test

import (
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/control"
)

// repeated requires no error. It returns whether the request is a repetition, and the stored answer.
func (w *world) repeated(key, request string) (audience.Answer, bool) {
	w.t.Helper()
	answer, done, err := w.Repeated(w.t.Context(), w.editor, key, request, "")
	if err != nil {
		w.t.Fatal(err)
	}
	return answer, done
}

func TestRepeatedRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, done := w.repeated("k", "a"); done {
		t.Fatal("a first request was done before")
	}
	_, _, err := w.Repeated(t.Context(), w.editor, "k", "a", "")
	wantCode(t, "a request in progress", err, audience.Duplicate)
	if err := w.Answered(t.Context(), w.editor, "k", "a", 202, `{"id":1}`); err != nil {
		t.Fatal(err)
	}
	answer, done := w.repeated("k", "a")
	if !done || answer.Status != 202 || answer.Body != `{"id":1}` {
		t.Fatalf("the answer was %+v, done %v", answer, done)
	}
	_, _, err = w.Repeated(t.Context(), w.editor, "k", "b", "")
	wantCode(t, "another request", err, audience.Invalid, "Idempotency-Key")
	other := w.editor
	other.ClientID = "client-2"
	if _, done, err := w.Repeated(t.Context(), other, "k", "b", ""); err != nil || done {
		t.Fatalf("another client's key: done %v, %v", done, err)
	}
	w.clock.advance(24 * time.Hour)
	if _, done := w.repeated("k", "b"); done {
		t.Fatal("the answer was kept longer than a day")
	}
}

func TestRepeatedAfterRefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.repeated("k", "a")
	if err := w.Refused(t.Context(), w.editor, "k"); err != nil {
		t.Fatal(err)
	}
	if _, done := w.repeated("k", "b"); done {
		t.Fatal("a request that was refused counts as done")
	}
}

// A killed process leaves requests without an answer. A client can repeat them a little later.
func TestRepeatedAfterKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.repeated("k", "a")
	w.clock.advance(3 * time.Minute)
	if _, done, err := w.elsewhere().Repeated(t.Context(), w.editor, "k", "a", ""); err != nil || done {
		t.Fatalf("done %v, %v", done, err)
	}
}

// TestRepeatedLargeRequest compares the beginning of a request before the request is executed, and the whole request
// when it has an answer.
func TestRepeatedLargeRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.repeated("k", "a")
	if err := w.Answered(t.Context(), w.editor, "k", "a"+control.WholeRequest+"rest", 202, "{}"); err != nil {
		t.Fatal(err)
	}
	if answer, done := w.repeated("k", "a"); !done || answer.Request != "a rest" {
		t.Errorf("%+v, done %v", answer, done)
	}
	_, _, err := w.Repeated(t.Context(), w.editor, "k", "b", "")
	wantCode(t, "another request", err, audience.Invalid, "Idempotency-Key")
}

// TestRepeatedWithFewerRights removes rights of a client between a request and its repetition.
func TestRepeatedWithFewerRights(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	had := w.editor
	had.Role, had.OrgRole, had.Grants = audience.Editor, audience.Viewer, audience.NewGrants([]string{"core/C1", "custom/x"})
	if _, done, err := w.Repeated(t.Context(), had, "k", "a", ""); done || err != nil {
		t.Fatal(done, err)
	}
	if err := w.Answered(t.Context(), had, "k", "a", 202, `{"id":1}`); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(a *audience.Actor){
		"role":                   func(a *audience.Actor) { a.Role = audience.Viewer },
		"no role":                func(a *audience.Actor) { a.Role = "" },
		"role elsewhere":         func(a *audience.Actor) { a.OrgRole = "" },
		"a label":                func(a *audience.Actor) { a.Grants = audience.NewGrants([]string{"core/C1", "core/C2"}) },
		"all labels":             func(a *audience.Actor) { a.Grants = nil },
		"a role more, one label": func(a *audience.Actor) { a.Role, a.Grants = audience.Admin, audience.NewGrants([]string{"core/C1"}) },
	} {
		has := had
		change(&has)
		answer, done, err := w.Repeated(t.Context(), has, "k", "a", "")
		wantCode(t, name, err, audience.Forbidden)
		if done || answer.Body != "" {
			t.Errorf("%s: %+v", name, answer)
		}
		if e := w.last(); e.Action != audience.RequestRepeat || e.Outcome != audience.Refused || e.ClientID != has.ClientID {
			t.Errorf("%s: the audit log has %+v", name, e)
		}
	}
	for name, change := range map[string]func(a *audience.Actor){
		"the same":   func(*audience.Actor) {},
		"more":       func(a *audience.Actor) { a.Role, a.OrgRole = audience.Admin, audience.Admin },
		"all labels": func(a *audience.Actor) { a.Grants = audience.Grants{audience.AllLabels} },
	} {
		has := had
		change(&has)
		if answer, done, err := w.Repeated(t.Context(), has, "k", "a", ""); err != nil || !done || answer.Body != `{"id":1}` {
			t.Errorf("%s: %+v, %v, %v", name, answer, done, err)
		}
	}
}

// TestRepeatedAboutHidden labels the audience of a request before the repetition.
func TestRepeatedAboutHidden(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	aud := w.submit(draft("a"))
	editor := w.editor
	editor.Grants = nil
	if _, _, err := w.Repeated(t.Context(), editor, "k", "a", aud.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.Answered(t.Context(), editor, "k", "a", 200, `{"name":"secret"}`); err != nil {
		t.Fatal(err)
	}
	if _, done, err := w.Repeated(t.Context(), editor, "k", "a", aud.ID); err != nil || !done {
		t.Fatal(done, err)
	}
	labels, admin := []string{"custom/hidden"}, w.admin()
	admin.Grants = audience.Grants{audience.AllLabels}
	if _, err := w.UpdateAudience(t.Context(), admin, aud.ID, control.Patch{Labels: &labels}); err != nil {
		t.Fatal(err)
	}
	_, _, err := w.Repeated(t.Context(), editor, "k", "a", aud.ID)
	wantCode(t, "a hidden audience", err, audience.NotFound)
}
