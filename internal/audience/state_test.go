package audience_test

import (
	"testing"

	"roster/internal/audience"
)

func TestCanMove(t *testing.T) {
	t.Parallel()
	all := []audience.Status{audience.Processing, audience.Success, audience.Failed, "", "OTHER"}
	for name, l := range map[string]audience.Lifecycle{"task": audience.TaskLifecycle, "run": audience.RunLifecycle} {
		for _, from := range all {
			for _, to := range all {
				want := from == audience.Processing && (to == audience.Success || to == audience.Failed)
				if got := l.CanMove(from, to); got != want {
					t.Errorf("%s: %q to %q: %v", name, from, to, got)
				}
			}
		}
	}
}
