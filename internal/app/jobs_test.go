package app

import (
	"slices"
	"testing"
)

func TestMemoryLimit(t *testing.T) {
	for _, c := range []struct {
		memory int64
		runs   int
		want   int64
	}{
		{0, 0, 576 << 20},  // the default, and no run
		{0, 1, 576 << 20},  // one run
		{0, 2, 1088 << 20}, // each has a budget
		{256 << 20, 1, 320 << 20},
		{64 << 20, 1, 256 << 20}, // the stores need that much
	} {
		if got := (Config{Memory: c.memory}).MemoryLimit(c.runs); got != c.want {
			t.Errorf("memory %d, %d runs: limit %d, want %d", c.memory, c.runs, got, c.want)
		}
	}
}

func TestRunCount(t *testing.T) {
	var r runCount
	var told []int
	for _, by := range []int{1, 1, -1, -1} {
		r.change(by, func(n int) { told = append(told, n) })
	}
	if want := []int{1, 2, 1, 0}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}
