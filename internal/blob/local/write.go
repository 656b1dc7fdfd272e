package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"roster/internal/blob"
	"roster/internal/durable"
)

// made are the folders whose names this process has brought to the disk.
type made struct {
	mu      sync.Mutex
	folders map[string]bool
}

// mostMade bounds how many folders are remembered. Another one is synced again.
const mostMade = 10_000

func (m *made) has(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.folders[name]
}

func (m *made) add(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.folders) >= mostMade {
		clear(m.folders)
	}
	m.folders[name] = true
}

// remove removes a folder and those below it.
func (m *made) remove(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for f := range m.folders {
		if f == name || strings.HasPrefix(f, name+"/") {
			delete(m.folders, f)
		}
	}
}

// Create implements blob.Store.
func (s *Store) Create(ctx context.Context, p string, o blob.CreateOptions) (blob.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &writer{store: s, ctx: ctx, path: p, exclusive: o.IfAbsent}
	err := s.inFolder(p, func() (err error) {
		if err := s.free(p, o.IfAbsent); err != nil {
			return err
		}
		w.file, err = durable.Create(s.dir, path.Dir(s.name(p)), o.Volatile)
		return failed(p, err)
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// inFolder makes the folder of an object and calls do. It does both again if the folder was removed meanwhile, with the last file in it.
func (s *Store) inFolder(p string, do func() error) error {
	for tries := 3; ; tries-- {
		err := s.room(p, true)
		if err == nil {
			err = do()
		}
		if !errors.Is(err, blob.ErrNotExist) || tries == 0 {
			return err
		}
		for folder := path.Dir(s.name(p)); folder != "."; folder = path.Dir(folder) {
			s.made.remove(folder)
		}
	}
}

// Check returns what Create would say of a path, and makes nothing.
func (s *Store) Check(p string) error { return errors.Join(s.room(p, false), s.free(p, false)) }

// free checks what is at the path of an object that is to be written.
func (s *Store) free(p string, absent bool) error {
	info, err := s.dir.Lstat(s.name(p))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR): // which room says
		return nil
	case err != nil:
		return failed(p, err)
	case absent && info.Mode().IsRegular():
		return fmt.Errorf("%q: %w", p, blob.ErrExist)
	case info.IsDir(), s.root != nil && !info.Mode().IsRegular():
		return &blob.PathConflictError{Path: p, At: p}
	}
	return nil
}

// room makes the folders above an object, or only looks at what is there.
func (s *Store) room(p string, create bool) error {
	if err := valid(p); err != nil {
		return err
	}
	return s.folder(p, path.Dir(s.name(p)), create)
}

// folder makes a folder for an object at p, with those above, each with its name on the disk.
func (s *Store) folder(p, name string, create bool) error {
	if name == "." || s.root == nil && s.made.has(name) {
		return nil
	}
	above := path.Dir(name)
	if err := s.folder(p, above, create); err != nil {
		return err
	}
	look := s.dir.Stat
	if s.root != nil {
		look = s.dir.Lstat
	}
	info, err := look(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !create:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		if err := s.dir.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return failed(p, err)
		}
	case err != nil:
		return failed(p, err)
	case !info.IsDir():
		return &blob.PathConflictError{Path: p, At: strings.TrimPrefix(name, s.below+"/")}
	}
	// A folder of the store that is there may be of a process that was killed before its name was on the disk.
	if !create || s.made.has(name) || err == nil && !s.inside(name) {
		return nil
	}
	if err := durable.Sync(s.dir, above); err != nil {
		return failed(p, err)
	}
	s.made.add(name)
	return nil
}

// inside reports whether a name is below the root of the store.
func (s *Store) inside(name string) bool {
	return s.below == "" || strings.HasPrefix(name, s.below+"/")
}

// makeFolder makes the folder of a store, with those above.
func makeFolder(folder string) error {
	if info, err := os.Stat(folder); err == nil && info.IsDir() {
		return nil
	}
	above := filepath.Dir(folder)
	if above != folder {
		if err := makeFolder(above); err != nil {
			return err
		}
	}
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return durable.Sync(durable.Folder(above), ".")
}

// writer writes a file.
type writer struct {
	store     *Store
	ctx       context.Context
	file      *durable.File
	path      string
	exclusive bool
}

var _ blob.Renamer = (*writer)(nil)

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.file.Write(p)
	return n, failed(w.path, err)
}

// Rename implements blob.Renamer.
func (w *writer) Rename(p string) { w.path = p }

// Commit implements blob.Writer.
func (w *writer) Commit() error {
	if err := w.ctx.Err(); err != nil {
		w.Abort()
		return err
	}
	return failed(w.path, w.file.Commit(w.store.name(w.path), w.exclusive))
}

// Abort implements blob.Writer.
func (w *writer) Abort() { w.file.Abort() }

// Move gives an object another path, without a copy, and replaces an existing one. Its content is on the disk already.
func (s *Store) Move(ctx context.Context, from, to string) error {
	if err := errors.Join(ctx.Err(), valid(from)); err != nil {
		return err
	}
	err := s.inFolder(to, func() error {
		if err := s.free(to, false); err != nil {
			return err
		}
		return failed(to, s.dir.Rename(s.name(from), s.name(to)))
	})
	if err != nil {
		return err
	}
	return failed(to, durable.Sync(s.dir, path.Dir(s.name(to))))
}

// MoveFolder gives a folder another path in one step. The error is blob.ErrNotExist if there is no folder, and an error if
// the other path has a folder that is not empty.
func (s *Store) MoveFolder(ctx context.Context, from, to string) error {
	if err := errors.Join(ctx.Err(), valid(from)); err != nil {
		return err
	}
	if err := s.room(to, true); err != nil {
		return err
	}
	if err := s.dir.Rename(s.name(from), s.name(to)); err != nil {
		return failed(from, err)
	}
	s.made.remove(s.name(from))
	if err := durable.Sync(s.dir, path.Dir(s.name(to))); err != nil {
		return failed(to, err)
	}
	return failed(from, s.prune(path.Dir(s.name(from))))
}

// Remove implements blob.Store. Folders that are empty then go as well.
func (s *Store) Remove(ctx context.Context, paths ...string) error {
	emptied := map[string]bool{}
	var errs []error
	for _, p := range paths {
		if err := ctx.Err(); err != nil {
			errs = append(errs, err)
			break
		}
		if removed, err := s.remove(p); err != nil {
			errs = append(errs, err)
		} else if removed {
			emptied[path.Dir(s.name(p))] = true
		}
	}
	for folder := range emptied {
		errs = append(errs, s.prune(folder))
	}
	return errors.Join(errs...)
}

// remove removes one file. It reports whether there was one.
func (s *Store) remove(p string) (bool, error) {
	if err := valid(p); err != nil {
		return false, err
	}
	info, err := s.look(p)
	if errors.Is(err, blob.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := s.dir.Remove(s.name(p)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, failed(p, err)
	}
	return true, nil
}

// RemoveAll implements blob.Store.
func (s *Store) RemoveAll(ctx context.Context, folder string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if folder != "" {
		if err := valid(folder); err != nil {
			return err
		}
	}
	name := s.name(folder)
	if name != "." {
		if _, err := s.dir.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err := s.dir.RemoveAll(name); err != nil {
			return failed(folder, err)
		}
		s.made.remove(name)
		return s.prune(path.Dir(name))
	}
	entries, err := s.entries(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := s.dir.RemoveAll(e.Name()); err != nil {
			return failed(e.Name(), err)
		}
		s.made.remove(e.Name())
	}
	return failed(folder, durable.Sync(s.dir, "."))
}

// prune removes a folder if it is empty, and those above that are empty then, up to the root of the store, and brings that to the disk.
func (s *Store) prune(name string) error {
	for name != "." && s.inside(name) {
		if err := s.dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			break // it is not empty
		}
		s.made.remove(name)
		name = path.Dir(name)
	}
	err := durable.Sync(s.dir, name)
	if errors.Is(err, fs.ErrNotExist) { // somebody else removed it
		return nil
	}
	return failed(name, err)
}
