// Package faulty is a byte store whose calls fail when a test says so: before they have an effect, or after it.
package faulty

import (
	"context"
	"errors"
	"io"

	"roster/internal/blob"
)

// Done is what the name of a call ends with after the call has had its effect.
const Done = ".done"

// At is called before each call of a store, with its name, such as "lake.commit", and after each call that changed something and
// succeeded, with Done behind the name. The error that At returns is that of the call. At may also end the process.
type At func(call string) error

// Store is a store whose calls may fail.
type Store struct {
	blob.Store
	name string // begins the names of calls
	at   At
}

var _ blob.Store = (*Store)(nil)

// New returns a store of which each call asks at. The names of calls begin with name: NAME.list, stat, open, read, create, write, commit,
// abort, move and remove.
func New(s blob.Store, name string, at At) *Store { return &Store{s, name, at} }

func (s *Store) before(call string) error { return s.at(s.name + "." + call) }

// change does what changes something.
func (s *Store) change(call string, do func() error) error {
	if err := s.before(call); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return s.at(s.name + "." + call + Done)
}

// List implements blob.Store.
func (s *Store) List(ctx context.Context, folder string, fn func(blob.Object) error) error {
	if err := s.before("list"); err != nil {
		return err
	}
	return s.Store.List(ctx, folder, fn)
}

// Browse implements blob.Store.
func (s *Store) Browse(ctx context.Context, folder string, fn func(o blob.Object, folder bool) error) error {
	if err := s.before("list"); err != nil {
		return err
	}
	return s.Store.Browse(ctx, folder, fn)
}

// Stat implements blob.Store.
func (s *Store) Stat(ctx context.Context, path string) (blob.Object, error) {
	if err := s.before("stat"); err != nil {
		return blob.Object{}, err
	}
	return s.Store.Stat(ctx, path)
}

// Open implements blob.Store.
func (s *Store) Open(ctx context.Context, obj blob.Object, offset, length int64) (io.ReadCloser, error) {
	if err := s.before("open"); err != nil {
		return nil, err
	}
	r, err := s.Store.Open(ctx, obj, offset, length)
	if err != nil {
		return nil, err
	}
	return reader{r, s}, nil
}

type reader struct {
	io.ReadCloser
	store *Store
}

// Read implements io.Reader.
func (r reader) Read(p []byte) (int, error) {
	if err := r.store.before("read"); err != nil {
		return 0, err
	}
	return r.ReadCloser.Read(p)
}

// OpenFile implements blob.Store.
func (s *Store) OpenFile(ctx context.Context, path string) (blob.File, error) {
	if err := s.before("open"); err != nil {
		return nil, err
	}
	f, err := s.Store.OpenFile(ctx, path)
	if err != nil {
		return nil, err
	}
	return file{f, s}, nil
}

type file struct {
	blob.File
	store *Store
}

// ReadAt implements io.ReaderAt.
func (f file) ReadAt(p []byte, off int64) (int, error) {
	if err := f.store.before("read"); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

// Create implements blob.Store.
func (s *Store) Create(ctx context.Context, path string, o blob.CreateOptions) (out blob.Writer, err error) {
	err = s.change("create", func() (err error) {
		out, err = s.Store.Create(ctx, path, o)
		return err
	})
	if err != nil {
		if out != nil {
			out.Abort()
		}
		return nil, err
	}
	w := writer{out, s}
	if r, ok := out.(blob.Renamer); ok {
		return renamer{w, r}, nil
	}
	return w, nil
}

type writer struct {
	blob.Writer
	store *Store
}

// Write implements io.Writer.
func (w writer) Write(p []byte) (n int, err error) {
	err = w.store.change("write", func() (err error) {
		n, err = w.Writer.Write(p)
		return err
	})
	return n, err
}

// Commit implements blob.Writer.
func (w writer) Commit() error {
	err := w.store.change("commit", w.Writer.Commit)
	if err != nil {
		w.Writer.Abort()
	}
	return err
}

// Abort implements blob.Writer. Its errors are nobody's; the process may end there.
func (w writer) Abort() {
	_ = w.store.before("abort")
	w.Writer.Abort()
}

// renamer is a writer that can be renamed.
type renamer struct {
	writer
	to blob.Renamer
}

// Rename implements blob.Renamer.
func (r renamer) Rename(path string) { r.to.Rename(path) }

// Remove implements blob.Store. One path fails at a time.
func (s *Store) Remove(ctx context.Context, paths ...string) error {
	for _, path := range paths {
		if err := s.change("remove", func() error { return s.Store.Remove(ctx, path) }); err != nil {
			return err
		}
	}
	return nil
}

// RemoveAll implements blob.Store.
func (s *Store) RemoveAll(ctx context.Context, folder string) error {
	return s.change("remove", func() error { return s.Store.RemoveAll(ctx, folder) })
}

// MoveFolder moves a folder if the store can, such as that of the local disk.
func (s *Store) MoveFolder(ctx context.Context, from, to string) error {
	m, ok := s.Store.(interface {
		MoveFolder(ctx context.Context, from, to string) error
	})
	if !ok {
		return errors.ErrUnsupported
	}
	return s.change("move", func() error { return m.MoveFolder(ctx, from, to) })
}

// Below implements blob.Store.
func (s *Store) Below(folder string) blob.Store { return New(s.Store.Below(folder), s.name, s.at) }
