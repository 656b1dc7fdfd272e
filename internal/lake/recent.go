package lake

import (
	"container/list"
	"sync"
)

// recent keeps the values used last, as many as fit into a number of bytes. It is safe for concurrent use.
type recent[K comparable, V any] struct {
	limit int64

	mu    sync.Mutex
	size  int64
	order *list.List // of *recentEntry[K, V], the one used last first
	at    map[K]*list.Element
}

type recentEntry[K comparable, V any] struct {
	key   K
	value V
	size  int64
}

func newRecent[K comparable, V any](limit int64) *recent[K, V] {
	return &recent[K, V]{limit: limit, order: list.New(), at: map[K]*list.Element{}}
}

func (r *recent[K, V]) get(k K) (v V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.at[k]
	if e == nil {
		return v, false
	}
	r.order.MoveToFront(e)
	return e.Value.(*recentEntry[K, V]).value, true
}

// put keeps a value of so many bytes, unless it takes more than a quarter of the room.
func (r *recent[K, V]) put(k K, v V, size int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.at[k]; e != nil {
		r.remove(e)
	}
	if size > r.limit/4 {
		return
	}
	r.at[k] = r.order.PushFront(&recentEntry[K, V]{k, v, size})
	for r.size += size; r.size > r.limit; {
		r.remove(r.order.Back())
	}
}

// drop forgets a value.
func (r *recent[K, V]) drop(k K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.at[k]; e != nil {
		r.remove(e)
	}
}

// dropIf forgets the values whose keys have what is asked for.
func (r *recent[K, V]) dropIf(has func(K) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, e := range r.at {
		if has(k) {
			r.remove(e)
		}
	}
}

func (r *recent[K, V]) remove(e *list.Element) {
	entry := r.order.Remove(e).(*recentEntry[K, V])
	delete(r.at, entry.key)
	r.size -= entry.size
}
