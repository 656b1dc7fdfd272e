package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"roster/internal/blob"
)

// writer sends an object while it is written. The store has the object once the request has ended.
type writer struct {
	store  *Store
	ctx    context.Context
	cancel context.CancelFunc
	path   string
	absent bool
	pipe   *io.PipeWriter
	done   chan struct{} // closed when err is set
	err    error         // of the request
	ended  bool
}

// Create implements blob.Store. Whether an object is there is known at Commit. Content is sent in parts; those that a killed process
// had sent are removed by the store after a while (in Amazon's by a rule for incomplete uploads).
func (s *Store) Create(ctx context.Context, path string, o blob.CreateOptions) (blob.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	key, err := s.key(path)
	if err != nil {
		return nil, err
	}
	content, pipe := io.Pipe()
	w := &writer{store: s, path: path, absent: o.IfAbsent, pipe: pipe, done: make(chan struct{})}
	w.ctx, w.cancel = context.WithCancel(ctx)
	go func() {
		defer close(w.done)
		w.err = s.engine.put(w.ctx, key, content, o.IfAbsent)
		_ = content.CloseWithError(w.err) // never fails
	}()
	return w, nil
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	n, err := w.pipe.Write(p)
	if err == nil {
		return n, nil
	}
	<-w.done
	return n, w.failure()
}

// failure is what the end of the request means.
func (w *writer) failure() error {
	if w.err == nil {
		return fmt.Errorf("%q: %w: it has ended an upload before its last byte", w.path, blob.ErrFailed)
	}
	err := w.store.failure(w.ctx, w.path, w.err)
	if w.absent && errors.Is(err, blob.ErrChanged) {
		return fmt.Errorf("%q: %w", w.path, blob.ErrExist)
	}
	return err
}

// Commit implements blob.Writer.
func (w *writer) Commit() error {
	if err := w.ctx.Err(); err != nil {
		w.Abort()
		return err
	}
	w.ended = true
	defer w.cancel()
	_ = w.pipe.Close() // never fails
	<-w.done
	if w.err != nil {
		return w.failure()
	}
	return nil
}

// errAborted ends a request whose object is not wanted.
var errAborted = errors.New("bucket: the object is given up")

// Abort implements blob.Writer.
func (w *writer) Abort() {
	if w.ended {
		return
	}
	w.ended = true
	_ = w.pipe.CloseWithError(errAborted) // never fails
	<-w.done
	w.cancel()
}

// removedAtOnce is how many objects Remove removes at the same time. Not every store can remove several by one request.
const removedAtOnce = 16

// Remove implements blob.Store.
func (s *Store) Remove(ctx context.Context, paths ...string) error {
	keys := make([]string, len(paths))
	for i, path := range paths {
		key, err := s.key(path)
		if err != nil {
			return err
		}
		keys[i] = key
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	g, within := errgroup.WithContext(ctx)
	g.SetLimit(removedAtOnce)
	for i, key := range keys {
		if within.Err() != nil {
			break
		}
		g.Go(func() error {
			err := s.engine.remove(within, key)
			if err == nil {
				return nil
			}
			if err = s.failure(within, paths[i], err); errors.Is(err, blob.ErrNotExist) {
				return nil
			}
			return err
		})
	}
	return g.Wait()
}

// RemoveAll implements blob.Store. Keys that are no paths stay: they are not Roster's.
func (s *Store) RemoveAll(ctx context.Context, folder string) error {
	var paths []string
	err := s.List(ctx, folder, func(o blob.Object) error {
		if valid(o.Path) {
			paths = append(paths, o.Path)
		}
		return nil
	})
	if errors.Is(err, blob.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.Remove(ctx, paths...)
}
