package background_test

import (
	"runtime"
	"testing"

	"roster/internal/background"
)

func TestWorking(t *testing.T) {
	n := background.Cores()
	for _, step := range []struct{ by, want int }{{1, 2 * n}, {1, 2 * n}, {-1, 2 * n}, {-1, n}} {
		background.Working(step.by)
		if got := runtime.GOMAXPROCS(0); got != step.want {
			t.Errorf("%d processors after %+d pieces of work, want %d", got, step.by, step.want)
		}
	}
}
