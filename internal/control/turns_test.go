package control_test

import (
	"strings"
	"testing"

	"roster/internal/queue"
)

// TestEveryKindHasItsTurn has each kind of job come to its end: none is without places.
func TestEveryKindHasItsTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, kind := range queue.Kinds {
		if err := w.Handle(t.Context(), queue.Job{Kind: kind, ID: "1"}); err != nil && strings.Contains(err.Error(), "kind") {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if err := w.Handle(t.Context(), queue.Job{Kind: "nonsense", ID: "1"}); err == nil {
		t.Error("a job of no kind was done")
	}
}
