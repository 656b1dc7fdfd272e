package control

import (
	"context"
	"sync"
	"time"
)

// cacheFor is how long another process's change may stay unseen; this process forgets what it changes at once.
const cacheFor = time.Second

// cacheSize bounds a cache; a full one is emptied.
const cacheSize = 10_000

// cache keeps what load found for a short time.
type cache[K comparable, V any] struct {
	clock func() time.Time
	load  func(ctx context.Context, k K) (V, error)

	mu         sync.Mutex
	entries    map[K]cached[V]
	generation int // counts calls of forget
}

type cached[V any] struct {
	value V
	at    time.Time
}

func newCache[K comparable, V any](clock func() time.Time, load func(ctx context.Context, k K) (V, error)) *cache[K, V] {
	return &cache[K, V]{clock: clock, load: load, entries: map[K]cached[V]{}}
}

func (c *cache[K, V]) get(ctx context.Context, k K) (V, error) {
	now := c.clock()
	c.mu.Lock()
	e, ok := c.entries[k]
	generation := c.generation
	c.mu.Unlock()
	if age := now.Sub(e.at); ok && age >= 0 && age < cacheFor {
		return e.value, nil
	}
	v, err := c.load(ctx, k)
	if err != nil {
		return v, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation == generation { // otherwise v may be older than what was changed meanwhile
		if len(c.entries) >= cacheSize {
			clear(c.entries)
		}
		c.entries[k] = cached[V]{v, now}
	}
	return v, nil
}

// forget empties the cache after a change.
func (c *cache[K, V]) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.entries)
	c.generation++
}
