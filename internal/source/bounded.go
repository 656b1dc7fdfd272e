package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Time limits of a store. Package ahead limits the throughput of an object's data.
const (
	// answerWithin is the limit for an answer about one object.
	answerWithin = time.Minute
	// A listing may take listWithin, plus listEach for each object, but at most listAtMost. The time that the caller
	// spends on an object does not count.
	listWithin = 5 * time.Minute
	listEach   = 100 * time.Millisecond
	listAtMost = time.Hour
)

// Bounded returns the store with time limits for its answers and listings. A store that sends a byte or an object now
// and then, without end, fails with ErrFailed.
func Bounded(s Store) Store {
	b := bounded{s}
	linked, isLinked := s.(Linked)
	_, isAtomic := s.(Atomic)
	switch {
	case isLinked && isAtomic:
		return struct {
			boundedLinked
			whole
		}{boundedLinked{b, linked}, whole{}}
	case isLinked:
		return boundedLinked{b, linked}
	case isAtomic:
		return struct {
			bounded
			whole
		}{b, whole{}}
	}
	return b
}

type bounded struct{ Store }

// boundedLinked is a bounded store that may contain symbolic links.
type boundedLinked struct {
	bounded
	linked Linked
}

// whole makes a store Atomic.
type whole struct{}

// Atomic implements Atomic.
func (whole) Atomic() {}

// Close implements io.Closer.
func (b bounded) Close() error {
	if c, ok := b.Store.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Stat implements Store.
func (b bounded) Stat(ctx context.Context, path string) (o Object, err error) {
	w := watch(ctx, path, answerWithin, 0)
	o, err = b.Store.Stat(w.ctx, path)
	return o, w.end(err)
}

// Open implements Store. It limits the time until the first byte.
func (b bounded) Open(ctx context.Context, obj Object, offset, length int64) (io.ReadCloser, error) {
	w := watch(ctx, obj.Path, answerWithin, 0)
	reading, stop := context.WithCancel(ctx) // the reader outlives the watch
	release := context.AfterFunc(w.ctx, stop)
	r, err := b.Store.Open(reading, obj, offset, length)
	if !release() && err == nil { // the watch ended the call while it returned
		err = errors.Join(w.ctx.Err(), r.Close())
	}
	if err = w.end(err); err != nil {
		stop()
		return nil, err
	}
	return stopping{r, stop}, nil
}

// stopping is a reader whose Close ends its context.
type stopping struct {
	io.ReadCloser
	stop context.CancelFunc
}

// Close implements io.Closer.
func (s stopping) Close() error {
	defer s.stop()
	return s.ReadCloser.Close()
}

// List implements Store.
func (b bounded) List(ctx context.Context, folder string, fn func(Object) error) error {
	w := watch(ctx, folder, listWithin, listEach)
	return w.end(b.Store.List(w.ctx, folder, w.each(fn)))
}

// Browse implements Store.
func (b bounded) Browse(ctx context.Context, folder string, fn func(o Object, folder bool) error) error {
	w := watch(ctx, folder, listWithin, listEach)
	return w.end(b.Store.Browse(w.ctx, folder, func(o Object, deeper bool) error {
		return w.each(func(o Object) error { return fn(o, deeper) })(o)
	}))
}

// ListLinks implements Linked.
func (b boundedLinked) ListLinks(ctx context.Context, folder string, fn func(Object) error) error {
	w := watch(ctx, folder, listWithin, listEach)
	return w.end(b.linked.ListLinks(w.ctx, folder, w.each(fn)))
}

// watcher ends a call of a store that takes too long.
type watcher struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	path   string
	more   time.Duration // per object

	began  time.Time
	within time.Duration // current limit of the store
	timer  *time.Timer
}

var errTooSlow = errors.New("source: the store is too slow")

func watch(ctx context.Context, path string, within, more time.Duration) *watcher {
	w := &watcher{path: path, more: more, began: time.Now(), within: within}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(within, func() { w.cancel(errTooSlow) })
	return w
}

// each extends the limit for every object, and excludes the time of fn.
func (w *watcher) each(fn func(Object) error) func(Object) error {
	return func(o Object) error {
		start := time.Now()
		w.timer.Stop()
		err := fn(o)
		w.began = w.began.Add(time.Since(start))
		w.within = min(w.within+w.more, listAtMost)
		w.timer.Reset(max(w.within-time.Since(w.began), 0))
		return err
	}
}

// end ends the watch and translates the error of the call.
func (w *watcher) end(err error) error {
	w.timer.Stop()
	defer w.cancel(nil)
	if err != nil && errors.Is(context.Cause(w.ctx), errTooSlow) {
		return fmt.Errorf("%q: %w: the store has not answered within %s", w.path, ErrFailed, w.within.Round(time.Second))
	}
	return err
}
