package background_test

import (
	"runtime"
	"testing"

	"roster/internal/background"
)

func TestWorking(t *testing.T) {
	n := background.Cores()
	for _, step := range []struct{ pieces, want int }{{1, 2 * n}, {2, 2 * n}, {1, 2 * n}, {0, n}} {
		background.Working(step.pieces)
		if got := runtime.GOMAXPROCS(0); got != step.want {
			t.Errorf("%d processors with %d pieces of work, want %d", got, step.pieces, step.want)
		}
	}
}
