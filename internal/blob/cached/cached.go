// Package cached is a byte store that keeps copies of the objects of a distant store in a near one: a bucket and a folder of the
// local disk. It is for objects that nobody but this process replaces or removes, such as the files of Iceberg tables, which never
// change. What is written is kept, and what is read is fetched once, if it is not too large.
package cached

import (
	"container/list"
	"context"
	"errors"
	"strings"
	"sync"

	"golang.org/x/sync/singleflight"

	"roster/internal/blob"
)

// wholeSize is the largest object that is fetched as a whole when it is opened, in bytes. Reads of a larger object go to
// the distant store each time.
const wholeSize = 16 << 20

// Store is a distant store with copies. Besides OpenFile, reads go to the distant store.
type Store struct {
	blob.Store        // the distant store
	folder     string // of the paths of copies: "" or with a slash at the end
	copies     *copies
}

var _ blob.Store = (*Store)(nil)

// New returns the store far with copies in near, which must be empty and belong to this Store alone. The copies have at
// most limit bytes together.
func New(far, near blob.Store, limit int64) *Store {
	return &Store{Store: far, copies: &copies{near: near, limit: limit, order: list.New(), at: map[string]*list.Element{}}}
}

// Below implements blob.Store.
func (s *Store) Below(folder string) blob.Store {
	below := &Store{Store: s.Store.Below(folder), folder: s.folder, copies: s.copies}
	if folder != "" {
		below.folder += folder + "/"
	}
	return below
}

// OpenFile implements blob.Store.
func (s *Store) OpenFile(ctx context.Context, path string) (blob.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if f := s.copies.open(ctx, s.folder+path); f != nil {
		return f, nil
	}
	changes := s.copies.changesNow()
	far, err := s.Store.OpenFile(ctx, path)
	if err != nil || far.Size() > min(wholeSize, s.copies.limit/4) {
		return far, err
	}
	_, err, _ = s.copies.fetching.Do(s.folder+path, func() (any, error) { return nil, s.fetch(ctx, path, far, changes) })
	if near := s.copies.open(ctx, s.folder+path); err == nil && near != nil {
		return near, far.Close()
	}
	return far, nil
}

// fetch copies an object, by one request to a bucket. The distant store had changed so many times before the object was opened.
func (s *Store) fetch(ctx context.Context, path string, far blob.File, changes int) error {
	content := make([]byte, far.Size())
	if n, err := far.ReadAt(content, 0); n < len(content) {
		return err
	}
	w, err := s.copies.near.Create(ctx, s.folder+path, blob.CreateOptions{Volatile: true})
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(content); err != nil {
		return err
	}
	return s.copies.keep(ctx, s.folder+path, far.Size(), w, changes)
}

// Create implements blob.Store.
func (s *Store) Create(ctx context.Context, path string, o blob.CreateOptions) (blob.Writer, error) {
	far, err := s.Store.Create(ctx, path, o)
	if err != nil {
		return nil, err
	}
	w := &writer{Writer: far, ctx: ctx, path: s.folder + path, copies: s.copies}
	if near, err := s.copies.near.Create(ctx, w.path, blob.CreateOptions{Volatile: true}); err == nil {
		w.near = near
	}
	return w, nil
}

// Remove implements blob.Store. After an error a copy may be left.
func (s *Store) Remove(ctx context.Context, paths ...string) error {
	below := make([]string, len(paths))
	for i, path := range paths {
		below[i] = s.folder + path
	}
	return s.copies.around(func() error { return s.copies.remove(ctx, below...) }, func() error { return s.Store.Remove(ctx, paths...) })
}

// RemoveAll implements blob.Store. After an error copies may be left.
func (s *Store) RemoveAll(ctx context.Context, folder string) error {
	below := strings.TrimSuffix(s.folder+folder, "/")
	return s.copies.around(func() error { return s.copies.removeAll(ctx, below) }, func() error { return s.Store.RemoveAll(ctx, folder) })
}

// writer writes an object and its copy.
type writer struct {
	blob.Writer // of the object
	ctx         context.Context
	near        blob.Writer // of the copy; nil if there will be none
	path        string      // of the copy
	size        int64
	copies      *copies
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.size += int64(n)
	if w.near != nil {
		if _, failed := w.near.Write(p[:n]); failed != nil || w.size > w.copies.limit/4 {
			w.dropCopy()
		}
	}
	return n, err
}

func (w *writer) dropCopy() {
	if w.near != nil {
		w.near.Abort()
		w.near = nil
	}
}

// Commit implements blob.Writer.
func (w *writer) Commit() error {
	defer w.dropCopy()
	err := w.copies.around(func() error { return w.copies.remove(w.ctx, w.path) }, w.Writer.Commit)
	if err == nil && w.near != nil {
		_ = w.copies.keep(w.ctx, w.path, w.size, w.near, w.copies.changesNow()) // without a copy the object is fetched
	}
	return err
}

// Abort implements blob.Writer.
func (w *writer) Abort() {
	w.Writer.Abort()
	w.dropCopy()
}

// copies are the copies of objects, by path. The ones used least recently are removed first.
type copies struct {
	near     blob.Store
	limit    int64
	fetching singleflight.Group

	mu      sync.Mutex
	size    int64
	order   *list.List // of *kept, the one used last first
	at      map[string]*list.Element
	changes int // counts changes of the distant store
}

type kept struct {
	path string
	size int64
}

// changesNow returns the number of changes of the distant store, for keep.
func (c *copies) changesNow() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changes
}

// open opens a copy; nil if there is none.
func (c *copies) open(ctx context.Context, path string) blob.File {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.at[path]
	if e == nil {
		return nil
	}
	f, err := c.near.OpenFile(ctx, path)
	if err != nil {
		return nil
	}
	c.order.MoveToFront(e)
	return f
}

// keep commits the copy of an object, unless the distant store has changed since changes.
func (c *copies) keep(ctx context.Context, path string, size int64, w blob.Writer, changes int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes != changes {
		return errors.New("cached: the distant store has changed")
	}
	if err := w.Commit(); err != nil {
		return err
	}
	if e := c.at[path]; e != nil {
		c.forget(e)
	}
	c.at[path] = c.order.PushFront(&kept{path, size})
	c.size += size
	var err error
	for c.size > c.limit {
		last := c.order.Back()
		c.forget(last)
		err = errors.Join(err, c.near.Remove(ctx, last.Value.(*kept).path))
	}
	return err
}

func (c *copies) forget(e *list.Element) {
	k := c.order.Remove(e).(*kept)
	delete(c.at, k.path)
	c.size -= k.size
}

// remove removes the copies at some paths.
func (c *copies) remove(ctx context.Context, paths ...string) error {
	var there []string
	for _, path := range paths {
		if e := c.at[path]; e != nil {
			c.forget(e)
			there = append(there, path)
		}
	}
	return c.near.Remove(ctx, there...)
}

// removeAll removes the copies below a folder.
func (c *copies) removeAll(ctx context.Context, folder string) error {
	for path, e := range c.at {
		if folder == "" || strings.HasPrefix(path, folder+"/") {
			c.forget(e)
		}
	}
	return c.near.RemoveAll(ctx, folder)
}

// around changes the distant store, and removes the copies that are concerned before and after that: in between an object may be
// fetched that is going to be removed or replaced.
func (c *copies) around(drop, change func() error) error {
	dropped := func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.changes++
		return drop()
	}
	before := dropped()
	return errors.Join(change(), before, dropped())
}
