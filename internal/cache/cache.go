// Package cache keeps values in memory up to a limit. A full cache removes the values that were used least recently.
package cache

import (
	"container/list"
	"sync"
)

// Cache keeps the values used last. It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	limit int64

	mu         sync.Mutex
	size       int64
	order      *list.List // of *entry[K, V], the one used last first
	at         map[K]*list.Element
	generation int // counts calls of Clear
}

type entry[K comparable, V any] struct {
	key   K
	value V
	size  int64
}

// New returns a cache whose values have at most the given size together. If each value has the size 1, limit is their
// number.
func New[K comparable, V any](limit int64) *Cache[K, V] {
	return &Cache[K, V]{limit: limit, order: list.New(), at: map[K]*list.Element{}}
}

// Get returns the value of a key; false if the cache does not have it.
func (c *Cache[K, V]) Get(k K) (V, bool) {
	v, _, ok := c.get(k)
	return v, ok
}

// get also returns the generation, for put.
func (c *Cache[K, V]) get(k K) (v V, generation int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.at[k]
	if e == nil {
		return v, c.generation, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*entry[K, V]).value, c.generation, true
}

// Put keeps a value, unless its size exceeds a quarter of the limit.
func (c *Cache[K, V]) Put(k K, v V, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(k, v, size)
}

// putSince is Put, unless the cache was cleared since get returned the generation.
func (c *Cache[K, V]) putSince(generation int, k K, v V, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation == generation {
		c.put(k, v, size)
	}
}

func (c *Cache[K, V]) put(k K, v V, size int64) {
	if e := c.at[k]; e != nil {
		c.remove(e)
	}
	if size > c.limit/4 {
		return
	}
	c.at[k] = c.order.PushFront(&entry[K, V]{k, v, size})
	for c.size += size; c.size > c.limit; {
		c.remove(c.order.Back())
	}
}

// Remove removes the value of a key.
func (c *Cache[K, V]) Remove(k K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.at[k]; e != nil {
		c.remove(e)
	}
}

// RemoveFunc removes the values of the keys for which del returns true.
func (c *Cache[K, V]) RemoveFunc(del func(K) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, e := range c.at {
		if del(k) {
			c.remove(e)
		}
	}
}

// Clear removes all values.
func (c *Cache[K, V]) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.order.Init()
	clear(c.at)
	c.size = 0
	c.generation++
}

func (c *Cache[K, V]) remove(e *list.Element) {
	removed := c.order.Remove(e).(*entry[K, V])
	delete(c.at, removed.key)
	c.size -= removed.size
}
