package control_test

import (
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/meta"
)

// repeated wants no error and returns whether the request was done before, and its answer.
func (w *world) repeated(key, request string) (meta.Answer, bool) {
	w.t.Helper()
	answer, done, err := w.Repeated(w.t.Context(), w.editor, key, request)
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
	_, _, err := w.Repeated(t.Context(), w.editor, "k", "a")
	wantCode(t, "a request in progress", err, audience.Duplicate)
	if err := w.Answered(t.Context(), w.editor, "k", "a", 202, `{"id":1}`); err != nil {
		t.Fatal(err)
	}
	answer, done := w.repeated("k", "a")
	if !done || answer.Status != 202 || answer.Body != `{"id":1}` {
		t.Fatalf("the answer was %+v, done %v", answer, done)
	}
	_, _, err = w.Repeated(t.Context(), w.editor, "k", "b")
	wantCode(t, "another request", err, audience.Invalid, "Idempotency-Key")
	other := w.editor
	other.ClientID = "client-2"
	if _, done, err := w.Repeated(t.Context(), other, "k", "b"); err != nil || done {
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

// A process that is killed leaves requests without an answer. They can be repeated a little later.
func TestRepeatedAfterKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.repeated("k", "a")
	w.clock.advance(3 * time.Minute)
	if _, done, err := w.other().Repeated(t.Context(), w.editor, "k", "a"); err != nil || done {
		t.Fatalf("done %v, %v", done, err)
	}
}

// TestRepeatedLargeRequest knows the beginning of a request before it is done, and all of it with its answer.
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
	_, _, err := w.Repeated(t.Context(), w.editor, "k", "b")
	wantCode(t, "another request", err, audience.Invalid, "Idempotency-Key")
}
