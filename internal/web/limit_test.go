package web

import (
	"testing"
	"time"

	"roster/internal/audience"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	l := limits{perSecond: 2}
	now := time.Unix(1749624273, 500)
	for i, want := range []bool{true, true, false, false} {
		if err := l.take("a", now); (err == nil) != want {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	if err := l.take("b", now); err != nil {
		t.Fatalf("another client: %v", err)
	}
	err := l.take("a", now)
	if e := audience.AsError(err); e.Code != audience.TooMany || e.RetryAfter != 500*time.Millisecond {
		t.Fatalf("refused with %v, retry after %v", err, e.RetryAfter)
	}
	if err := l.take("a", now.Add(500*time.Millisecond)); err != nil {
		t.Fatalf("half a second later: %v", err)
	}
	if err := new(limits).take("a", now); err != nil {
		t.Fatalf("without a limit: %v", err)
	}
}
