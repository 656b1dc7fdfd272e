package cache

import (
	"context"
	"time"
)

// Timed keeps what look-ups found, for a short time. Errors are not kept. It is safe for concurrent use.
type Timed[K comparable, V any] struct {
	clock func() time.Time
	life  time.Duration
	found *Cache[K, timed[V]]
}

type timed[V any] struct {
	value V
	at    time.Time
}

// NewTimed returns a cache of at most limit values. A value is looked up again when it is older than life.
func NewTimed[K comparable, V any](limit int64, life time.Duration, clock func() time.Time) *Timed[K, V] {
	return &Timed[K, V]{clock: clock, life: life, found: New[K, timed[V]](limit)}
}

// Get returns the value of a key. If the cache does not have a current one, Get calls find. What find returns is not
// kept if the cache is cleared meanwhile, because the value may be older than the change.
func (t *Timed[K, V]) Get(ctx context.Context, k K, find func(ctx context.Context, k K) (V, error)) (V, error) {
	now := t.clock()
	kept, generation, ok := t.found.get(k)
	if age := now.Sub(kept.at); ok && age >= 0 && age < t.life {
		return kept.value, nil
	}
	v, err := find(ctx, k)
	if err == nil {
		t.found.putSince(generation, k, timed[V]{v, now}, 1)
	}
	return v, err
}

// Clear removes all values. It is called after a change of what was looked up.
func (t *Timed[K, V]) Clear() { t.found.Clear() }
