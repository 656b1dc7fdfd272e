package auth

import (
	"sync"
	"time"
)

// cache is a map of limited size. A full cache is emptied, which is cheap and needs no order of the entries.
type cache[K comparable, V any] struct {
	mu    sync.RWMutex
	limit int
	m     map[K]entry[V]

	generation int // counts calls of clear
}

type entry[V any] struct {
	value V
	at    time.Time // when the value was stored, if its user needs that
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

// begin returns the generation for putAt. The caller calls it before it looks up the value.
func (c *cache[K, V]) begin() (generation int) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.generation
}

// clear empties the cache. Values whose look-up began before are not stored either.
func (c *cache[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.m)
	c.generation++
}

func (c *cache[K, V]) put(key K, value V) { c.putAt(key, value, time.Time{}, c.begin()) }

// putAt stores a value that was looked up after begin returned the generation.
func (c *cache[K, V]) putAt(key K, value V, at time.Time, generation int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation != generation {
		return // the value may be older than a change in the meantime
	}
	if len(c.m) >= c.limit {
		clear(c.m)
	}
	c.m[key] = entry[V]{value, at}
}
