package control

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestCacheForgets lets a change come between a load and the moment at which its result is kept.
func TestCacheForgets(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	stored, loads := 1, 0
	var c *cache[string, int]
	c = newCache(func() time.Time { return now }, func(context.Context, string) (int, error) {
		loads++
		v := stored
		if loads == 1 {
			stored = 2
			c.forget()
		}
		if loads == 4 {
			return 0, errors.New("down")
		}
		return v, nil
	})
	for i, want := range []int{1, 2, 2} {
		if got, err := c.get(t.Context(), "k"); got != want || err != nil {
			t.Errorf("%d: %d, %v", i, got, err)
		}
	}
	if loads != 2 {
		t.Errorf("%d loads", loads)
	}
	stored = 3
	now = now.Add(cacheFor)
	if got, _ := c.get(t.Context(), "k"); got != 3 {
		t.Errorf("after a while: %d", got)
	}
	now = now.Add(cacheFor)
	if _, err := c.get(t.Context(), "k"); err == nil {
		t.Error("an error was kept as a value")
	}
	for i := range cacheSize + 10 {
		if _, err := c.get(t.Context(), string(rune(i))); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.entries); n > cacheSize {
		t.Errorf("%d entries", n)
	}
}
