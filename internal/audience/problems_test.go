package audience

import (
	"errors"
	"strings"
	"testing"
)

// A request with endless faults costs no more than one with many, and its error says that there are others.
func TestProblemsAreBounded(t *testing.T) {
	t.Parallel()
	var p Problems
	p.Labels("labels", make([]string, 1_000_000))
	var e *Error
	if !errors.As(p.Err(), &e) || len(e.Problems) != maxProblems || !strings.HasSuffix(e.Message, "; and 95 more at least") {
		t.Errorf("%d problems: %v", len(p), e)
	}
	p = nil
	for range shownProblems + 1 {
		p.Add("name", "is wrong")
	}
	if !errors.As(p.Err(), &e) || !strings.HasSuffix(e.Message, "; and 1 more") {
		t.Errorf("%v", e)
	}
}
