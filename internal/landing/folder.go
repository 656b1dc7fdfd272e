package landing

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

	"roster/internal/audience"
	"roster/internal/source"
)

// Store is where the files of landing zones lie. Its errors are *audience.Error when they are the client's to know.
type Store interface {
	// Open opens the files of a sandbox. Who is done with them closes them if they can be closed.
	Open(ctx context.Context, sandbox string) (source.Store, error)
	// Check refuses a name that no file can have, for what is there.
	Check(ctx context.Context, sandbox, name string) error
	// Place puts a file that is whole and on the disk in its place, at once, in that of one that is there. The file is at a
	// path in the folder of the unfinished uploads; it may stay there.
	Place(ctx context.Context, sandbox, name, file string) error
	// Remove removes a file; an absent one is source.ErrNotExist.
	Remove(ctx context.Context, sandbox, name string) error
	// Clear removes all files of a sandbox.
	Clear(ctx context.Context, sandbox string) error
	// Sandboxes lists the sandboxes that have files.
	Sandboxes(ctx context.Context) ([]string, error)
}

// folder is a Store: a folder of the machine with one for each sandbox. No other process may use it.
type folder struct {
	dir  string
	tree sync.Mutex // folders are made and removed by one at a time
}

func (f *folder) root(sandbox string) (*os.Root, error) {
	if err := os.MkdirAll(filepath.Join(f.dir, sandbox), 0o700); err != nil {
		return nil, fmt.Errorf("open the landing zone: %w", err)
	}
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, fmt.Errorf("open the landing zone: %w", err)
	}
	return root, nil
}

// Open implements Store.
func (f *folder) Open(_ context.Context, sandbox string) (source.Store, error) {
	root, err := f.root(sandbox)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return source.OpenLocal(filepath.Join(f.dir, sandbox), nil)
}

// Check implements Store.
func (f *folder) Check(_ context.Context, sandbox, name string) error {
	root, err := f.root(sandbox)
	if err != nil {
		return err
	}
	defer root.Close()
	return makeRoom(root, path.Join(sandbox, name), true)
}

// Place implements Store.
func (f *folder) Place(_ context.Context, sandbox, name, file string) error {
	root, err := f.root(sandbox)
	if err != nil {
		return err
	}
	defer root.Close()
	from, err := filepath.Rel(f.dir, file)
	if err != nil {
		return err
	}
	f.tree.Lock()
	defer f.tree.Unlock()
	target := path.Join(sandbox, name)
	if err := makeRoom(root, target, false); err != nil {
		return err
	}
	if err := root.Rename(from, target); err != nil {
		return diskError("put the upload in its place", err)
	}
	return syncFolder(root, path.Dir(target))
}

// Remove implements Store. The folders above the file that are empty then go as well.
func (f *folder) Remove(ctx context.Context, sandbox, name string) error {
	zone, err := source.OpenLocal(filepath.Join(f.dir, sandbox), nil)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%q: %w", name, source.ErrNotExist)
	}
	if err != nil {
		return err
	}
	defer zone.Close()
	if _, err := zone.Stat(ctx, name); err != nil {
		return err
	}
	root, err := f.root(sandbox)
	if err != nil {
		return err
	}
	defer root.Close()
	f.tree.Lock()
	defer f.tree.Unlock()
	if err := root.Remove(path.Join(sandbox, name)); err != nil {
		return fmt.Errorf("remove a file of the landing zone: %w", err)
	}
	above := path.Dir(name)
	for above != "." {
		// One that is not empty is not removed, and ends it.
		if err := root.Remove(path.Join(sandbox, above)); err != nil {
			break
		}
		above = path.Dir(above)
	}
	return syncFolder(root, path.Join(sandbox, above))
}

// Clear implements Store.
func (f *folder) Clear(_ context.Context, sandbox string) error {
	root, err := f.root(sandbox)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.RemoveAll(sandbox); err != nil {
		return fmt.Errorf("empty the landing zone: %w", err)
	}
	return nil
}

// Sandboxes implements Store.
func (f *folder) Sandboxes(context.Context) (list []string, err error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look through the landing zones: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			list = append(list, e.Name())
		}
	}
	return list, nil
}

// makeRoom makes the folders above the target, or only looks whether it could. Neither they nor the target may be symbolic
// links, and where the target goes there may be a file but no folder.
func makeRoom(root *os.Root, target string, onlyLook bool) error {
	sandbox, name, _ := strings.Cut(target, "/")
	folder := sandbox
	parts := strings.Split(name, "/")
	for _, part := range parts[:len(parts)-1] {
		above := folder
		folder = path.Join(folder, part)
		info, err := root.Lstat(folder)
		switch {
		case errors.Is(err, fs.ErrNotExist) && onlyLook:
			return nil
		case errors.Is(err, fs.ErrNotExist):
			if err := root.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("make a folder in the landing zone: %w", err)
			}
			if err := syncFolder(root, above); err != nil {
				return err
			}
		case err != nil:
			return fmt.Errorf("look at a folder in the landing zone: %w", err)
		case !info.IsDir():
			return audience.InvalidField("path", "%q in it is not a folder", strings.TrimPrefix(folder, sandbox+"/"))
		}
	}
	info, err := root.Lstat(target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at a file in the landing zone: %w", err)
	}
	if !info.Mode().IsRegular() {
		return audience.InvalidField("path", "%q is there and is not a file", name)
	}
	return nil
}

// syncFolder brings a folder's entries to the disk.
func syncFolder(root *os.Root, name string) error {
	d, err := root.Open(name)
	if err != nil {
		return fmt.Errorf("open a folder of the landing zone: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("write a folder of the landing zone to the disk: %w", err)
	}
	return nil
}
