package auth

import (
	"sync"
	"time"
)

// cache is a bounded map. When it is full it starts again empty, which costs little and needs no order.
type cache[K comparable, V any] struct {
	mu    sync.RWMutex
	limit int
	m     map[K]entry[V]

	generation int // counts calls of forget
}

type entry[V any] struct {
	value V
	at    time.Time // when it was put, if its user minds
}

func newCache[K comparable, V any](limit int) *cache[K, V] {
	return &cache[K, V]{limit: limit, m: map[K]entry[V]{}}
}

func (c *cache[K, V]) get(key K) (V, bool) {
	v, _, ok := c.getAt(key)
	return v, ok
}

func (c *cache[K, V]) getAt(key K) (V, time.Time, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.m[key]
	return e.value, e.at, ok
}

// begin is called before a value is looked up that putAt is to keep.
func (c *cache[K, V]) begin() (generation int) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.generation
}

// forget empties the cache. What was looked up before is not kept either.
func (c *cache[K, V]) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.m)
	c.generation++
}

func (c *cache[K, V]) put(key K, value V) { c.putAt(key, value, time.Time{}, c.begin()) }

// putAt keeps a value that was looked up after begin returned the generation.
func (c *cache[K, V]) putAt(key K, value V, at time.Time, generation int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation != generation {
		return // it may be older than what was changed meanwhile
	}
	if len(c.m) >= c.limit {
		clear(c.m)
	}
	c.m[key] = entry[V]{value, at}
}
