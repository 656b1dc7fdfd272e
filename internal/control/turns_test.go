package control_test

import (
	"strings"
	"testing"

	"roster/internal/job"
)

// TestEveryKindHasItsTurn checks that each kind of job has slots and a handler.
func TestEveryKindHasItsTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, kind := range job.Kinds {
		if err := w.Handle(t.Context(), job.Job{Kind: kind, ID: "1"}); err != nil && strings.Contains(err.Error(), "kind") {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if err := w.Handle(t.Context(), job.Job{Kind: "nonsense", ID: "1"}); err == nil {
		t.Error("a job of no kind was done")
	}
}
