package app

import "testing"

func TestMemoryLimit(t *testing.T) {
	for _, c := range []struct {
		memory int64
		want   int64
	}{
		{0, 576 << 20}, // the default
		{256 << 20, 320 << 20},
		{64 << 20, 192 << 20}, // the stores need that much
	} {
		if got := (Config{Memory: c.memory}).MemoryLimit(); got != c.want {
			t.Errorf("memory %d: limit %d, want %d", c.memory, got, c.want)
		}
	}
}
