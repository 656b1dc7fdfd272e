package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"roster/internal/fault"
)

// Local is a folder of the local file system. Its root confines every path; symbolic links are refused.
type Local struct {
	root   *os.Root
	closed func(fs.FileInfo) bool
}

var _ Linked = (*Local)(nil)

// OpenLocal opens the folder root, which may itself be reached by symbolic links. closed, which may be nil, reports the files and
// folders that are not to be read, whatever name or mount leads to them: lists leave them out, and paths through them are ErrOutside.
func OpenLocal(root string, closed func(fs.FileInfo) bool) (*Local, error) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, fmt.Errorf("open the source folder %s: %w", root, err)
	}
	if closed == nil {
		closed = func(fs.FileInfo) bool { return false }
	}
	l := &Local{root: r, closed: closed}
	info, err := r.Stat(".")
	if err == nil && closed(info) {
		err = ErrOutside
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the source folder %s: %w", root, err), r.Close())
	}
	return l, nil
}

// Close releases the folder.
func (l *Local) Close() error { return l.root.Close() }

// clean checks a path and each of its components; it returns the path's own information.
func (l *Local) clean(name string) (fs.FileInfo, error) {
	if name == "" {
		return l.root.Stat(".")
	}
	if !fs.ValidPath(name) || name == "." || strings.Contains(name, "\x00") {
		return nil, fmt.Errorf("%q: %w", name, ErrOutside)
	}
	var info fs.FileInfo
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '/' {
			continue
		}
		var err error
		if info, err = l.root.Lstat(name[:i]); err != nil {
			return nil, localError(name, err)
		}
		if info.Mode()&fs.ModeSymlink != 0 || l.closed(info) {
			return nil, fmt.Errorf("%q: %w", name, ErrOutside)
		}
	}
	return info, nil
}

// localError translates an error of the file system.
func localError(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%q: %w", name, ErrNotExist)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%q: %w", name, ErrPermission)
	}
	var code syscall.Errno
	if errors.As(err, &code) {
		return fmt.Errorf("%q: %w: %w", name, ErrFailed, code)
	}
	return fmt.Errorf("%q: %w", name, err)
}

// Stat implements Store.
func (l *Local) Stat(ctx context.Context, name string) (Object, error) {
	if err := errors.Join(ctx.Err(), fault.At("source.stat")); err != nil {
		return Object{}, err
	}
	info, err := l.clean(name)
	if err != nil {
		return Object{}, err
	}
	if !info.Mode().IsRegular() {
		return Object{}, fmt.Errorf("%q: %w", name, ErrNotExist)
	}
	return localObject(name, info), nil
}

func localObject(name string, info fs.FileInfo) Object {
	o := Object{Path: name, Size: info.Size(), Modified: info.ModTime(), Link: info.Mode()&fs.ModeSymlink != 0}
	inode := uint64(0)
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = st.Ino
	}
	o.Version = fmt.Sprintf("%x-%x-%x", o.Size, info.ModTime().UnixNano(), inode)
	return o
}

// List implements Store.
func (l *Local) List(ctx context.Context, folder string, fn func(Object) error) error {
	return l.ListLinks(ctx, folder, WithoutLinks(fn))
}

// ListLinks implements Linked.
func (l *Local) ListLinks(ctx context.Context, folder string, fn func(Object) error) error {
	if err := fault.At("source.list"); err != nil {
		return err
	}
	if err := l.isFolder(folder); err != nil {
		return err
	}
	return l.walk(ctx, folder, fn)
}

func (l *Local) isFolder(name string) error {
	info, err := l.clean(name)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%q: %w", name, ErrNotExist)
	}
	return err
}

// entries reads one folder, in the order of the paths below it: a folder sorts as its name with a slash.
func (l *Local) entries(folder string) ([]fs.DirEntry, error) {
	d, err := l.root.Open(cmp.Or(folder, "."))
	if err != nil {
		return nil, localError(folder, err)
	}
	entries, err := d.ReadDir(-1)
	d.Close()
	if err != nil {
		return nil, localError(folder, err)
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

// walk lists one folder and those below it.
func (l *Local) walk(ctx context.Context, folder string, fn func(Object) error) error {
	return l.browse(ctx, folder, func(o Object, deeper bool) error {
		if deeper {
			return l.walk(ctx, o.Path, fn)
		}
		return fn(o)
	})
}

// Browse implements Store.
func (l *Local) Browse(ctx context.Context, folder string, fn func(o Object, folder bool) error) error {
	if err := l.isFolder(folder); err != nil {
		return err
	}
	return l.browse(ctx, folder, func(o Object, deeper bool) error {
		if o.Link {
			return nil
		}
		return fn(o, deeper)
	})
}

func (l *Local) browse(ctx context.Context, folder string, fn func(o Object, folder bool) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := l.entries(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		if !e.IsDir() && !e.Type().IsRegular() && e.Type()&fs.ModeSymlink == 0 {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since the folder was read
		}
		if err != nil {
			return localError(name, err)
		}
		switch {
		case l.closed(info):
			continue
		case info.IsDir():
			err = fn(Object{Path: name}, true)
		default:
			err = fn(localObject(name, info), false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Open implements Store.
func (l *Local) Open(ctx context.Context, obj Object, offset, length int64) (io.ReadCloser, error) {
	if _, err := l.Stat(ctx, obj.Path); err != nil {
		return nil, err
	}
	if err := fault.At("source.open"); err != nil {
		return nil, err
	}
	f, err := l.root.OpenFile(obj.Path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, localError(obj.Path, err)
	}
	r := &localReader{ctx: ctx, f: f, obj: obj, left: length, closed: l.closed}
	if err := r.check(); err != nil {
		f.Close()
		return nil, err
	}
	if length < 0 {
		r.left = obj.Size - offset
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		f.Close()
		return nil, localError(obj.Path, err)
	}
	return r, nil
}

// localReader reads a range of a pinned file and looks at its end whether the file is still the pinned one.
type localReader struct {
	ctx  context.Context
	f    *os.File
	obj  Object
	left int64

	closed func(fs.FileInfo) bool
}

func (r *localReader) check() error {
	info, err := r.f.Stat()
	if err != nil {
		return localError(r.obj.Path, err)
	}
	if r.closed(info) {
		return fmt.Errorf("%q: %w", r.obj.Path, ErrOutside)
	}
	if localObject(r.obj.Path, info).Version != r.obj.Version {
		return fmt.Errorf("%q: %w", r.obj.Path, ErrChanged)
	}
	return nil
}

func (r *localReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	if err := fault.At("source.read"); err != nil {
		return 0, err
	}
	if r.left <= 0 {
		if err := r.check(); err != nil {
			return 0, err
		}
		return 0, io.EOF
	}
	n, err := r.f.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if err == io.EOF { // shorter than when it was pinned
		return n, fmt.Errorf("%q: %w", r.obj.Path, ErrChanged)
	}
	if err != nil {
		return n, localError(r.obj.Path, err)
	}
	return n, nil
}

func (r *localReader) Close() error { return r.f.Close() }
