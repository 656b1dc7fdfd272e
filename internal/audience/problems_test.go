package audience

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// A request with endless faults costs no more than one with many, and its error says that there are others.
func TestProblemsAreBounded(t *testing.T) {
	t.Parallel()
	var p Problems
	for range 1000 {
		p.Labels("labels", make([]string, maxEntries))
	}
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

func TestLongLists(t *testing.T) {
	t.Parallel()
	long := slices.Repeat([]string{"core/C1"}, maxEntries+1)
	for want, check := range map[string]func(*Problems){
		"labels":          func(p *Problems) { p.Labels("labels", long) },
		"tags":            func(p *Problems) { p.Tags("tags", long) },
		"f.consentValues": func(p *Problems) { validateRole(p, "f", &Field{Role: RoleConsent, ConsentValues: long}) },
	} {
		var p Problems
		if check(&p); len(p) != 1 || p[0].Path != want || !strings.Contains(p[0].Message, "at most 1000") {
			t.Errorf("%s: %+v", want, p)
		}
	}
}
