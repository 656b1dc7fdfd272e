package cache_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"roster/internal/cache"
)

// TestLimit fills a cache: the values used least recently go, and one that is too large is not kept.
func TestLimit(t *testing.T) {
	t.Parallel()
	c := cache.New[string, int](8)
	for i, k := range []string{"a", "b", "c", "d"} {
		c.Put(k, i, 2)
	}
	c.Get("a")
	c.Put("e", 4, 1)
	c.Put("large", 5, 3)
	c.Put("c", 6, 1)
	for k, want := range map[string]int{"a": 0, "b": -1, "c": 6, "d": 3, "e": 4, "large": -1} {
		v, ok := c.Get(k)
		if !ok {
			v = -1
		}
		if v != want {
			t.Errorf("%s: %d, want %d", k, v, want)
		}
	}
	c.Remove("a")
	c.RemoveFunc(func(k string) bool { return k > "c" })
	for k, want := range map[string]bool{"a": false, "c": true, "d": false, "e": false} {
		if _, ok := c.Get(k); ok != want {
			t.Errorf("%s is kept: %t", k, ok)
		}
	}
	c.Clear()
	if _, ok := c.Get("c"); ok {
		t.Error("a value is left after Clear")
	}
}

// TestTimed clears a cache between a look-up and the moment at which its result is kept.
func TestTimed(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	stored, calls := 1, 0
	c := cache.NewTimed[string, int](10, time.Second, func() time.Time { return now })
	find := func(context.Context, string) (int, error) {
		calls++
		v := stored
		if calls == 1 {
			stored = 2
			c.Clear()
		}
		if calls == 4 {
			return 0, errors.New("down")
		}
		return v, nil
	}
	for i, want := range []int{1, 2, 2} {
		if got, err := c.Get(t.Context(), "k", find); got != want || err != nil {
			t.Errorf("%d: %d, %v", i, got, err)
		}
	}
	if calls != 2 {
		t.Errorf("%d calls", calls)
	}
	stored = 3
	now = now.Add(time.Second)
	if got, _ := c.Get(t.Context(), "k", find); got != 3 {
		t.Errorf("after its life: %d", got)
	}
	now = now.Add(time.Second)
	if _, err := c.Get(t.Context(), "k", find); err == nil {
		t.Error("the store is down and no error came")
	}
	if got, err := c.Get(t.Context(), "k", find); got != 3 || err != nil {
		t.Errorf("an error was kept: %d, %v", got, err)
	}
}
