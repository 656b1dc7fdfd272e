package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"roster/internal/blob"
)

// List implements blob.Store.
func (s *Store) List(ctx context.Context, folder string, fn func(blob.Object) error) error {
	return s.ListLinks(ctx, folder, func(o blob.Object) error {
		if o.Link {
			return nil
		}
		return fn(o)
	})
}

// ListLinks is List with the symbolic links among the objects.
func (s *Store) ListLinks(ctx context.Context, folder string, fn func(blob.Object) error) error {
	if there, err := s.isFolder(ctx, folder); err != nil || !there {
		return err
	}
	return blob.Stopped(s.walk(ctx, folder, fn))
}

// Browse implements blob.Store.
func (s *Store) Browse(ctx context.Context, folder string, fn func(o blob.Object, folder bool) error) error {
	if there, err := s.isFolder(ctx, folder); err != nil || !there {
		return err
	}
	return blob.Stopped(s.browse(ctx, folder, func(o blob.Object, deeper bool) error {
		if o.Link {
			return nil
		}
		return fn(o, deeper)
	}))
}

// isFolder reports whether a folder is there. Only the root needs not be.
func (s *Store) isFolder(ctx context.Context, folder string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	info, err := s.look(folder)
	if folder == "" && errors.Is(err, blob.ErrNotExist) {
		return false, nil
	}
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%q: %w", folder, blob.ErrNotExist)
	}
	return err == nil, err
}

// entries reads one folder, in the order of the paths below it: a folder sorts as its name with a slash.
func (s *Store) entries(folder string) ([]fs.DirEntry, error) {
	d, err := s.dir.OpenFile(s.name(folder), os.O_RDONLY, 0)
	if err != nil {
		return nil, failed(folder, err)
	}
	entries, err := d.ReadDir(-1)
	d.Close()
	if err != nil {
		return nil, failed(folder, err)
	}
	key := func(e fs.DirEntry) string {
		if e.IsDir() {
			return e.Name() + "/"
		}
		return e.Name()
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(key(a), key(b)) })
	return entries, nil
}

// walk lists one folder and those below it. A folder that is removed meanwhile has nothing.
func (s *Store) walk(ctx context.Context, folder string, fn func(blob.Object) error) error {
	return s.browse(ctx, folder, func(o blob.Object, deeper bool) error {
		if !deeper {
			return fn(o)
		}
		return s.walk(ctx, o.Path, fn)
	})
}

func (s *Store) browse(ctx context.Context, folder string, fn func(o blob.Object, folder bool) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := s.entries(folder)
	if errors.Is(err, blob.ErrNotExist) {
		return nil // gone since the folder was seen
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		p := path.Join(folder, e.Name())
		if !e.IsDir() && !e.Type().IsRegular() && e.Type()&fs.ModeSymlink == 0 {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since the folder was read
		}
		if err != nil {
			return failed(p, err)
		}
		switch {
		case s.closed(info):
			continue
		case info.IsDir():
			err = fn(blob.Object{Path: p}, true)
		default:
			err = fn(objectOf(p, info), false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
