// Package local is the byte store in a folder of the local disk. What a call writes, removes or names is on the disk when the call
// returns.
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
	"syscall"

	"roster/internal/blob"
	"roster/internal/durable"
)

// Store is a folder, or what is below a folder of one.
type Store struct {
	dir    durable.Dir
	root   *os.Root // nil unless paths are confined
	os     string   // path of the folder
	below  string   // the part of the folder that is the store; "" for all
	closed func(fs.FileInfo) bool
	made   *made
}

var _ blob.Store = (*Store)(nil)

// Open opens a folder of the server's own, and makes it if it is absent. Symbolic links in it are followed, wherever they lead.
func Open(folder string) (*Store, error) {
	s := &Store{dir: durable.Folder(folder), os: folder, closed: open, made: &made{folders: map[string]bool{}}}
	if err := makeFolder(filepath.Clean(folder)); err != nil {
		return nil, fmt.Errorf("make the folder %s: %w", folder, err)
	}
	return s, nil
}

// OpenConfined opens a folder that others put files into. The folder itself may be reached by symbolic links; paths through links in it
// are ErrOutside. closed, which may be nil, reports the files and folders that are not to be read, whatever name or mount leads to them:
// lists leave them out, and paths through them are ErrOutside.
func OpenConfined(folder string, closed func(fs.FileInfo) bool) (*Store, error) {
	r, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("open the folder %s: %w", folder, err)
	}
	if closed == nil {
		closed = open
	}
	info, err := r.Stat(".")
	if err == nil && closed(info) {
		err = blob.ErrOutside
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the folder %s: %w", folder, err), r.Close())
	}
	return &Store{dir: r, root: r, os: folder, closed: closed, made: &made{folders: map[string]bool{}}}, nil
}

// open closes nothing.
func open(fs.FileInfo) bool { return false }

// Close releases the folder. The part of another store leaves it open.
func (s *Store) Close() error {
	if s.root == nil || s.below != "" {
		return nil
	}
	return s.root.Close()
}

// Below implements blob.Store.
func (s *Store) Below(folder string) blob.Store {
	part := *s
	part.below = path.Join(s.below, folder)
	return &part
}

// name returns the name of a path in the folder; "." for the folder itself.
func (s *Store) name(p string) string { return path.Join(".", s.below, p) }

// valid checks the form of a path.
func valid(p string) error {
	if !fs.ValidPath(p) || p == "." || strings.Contains(p, "\x00") {
		return fmt.Errorf("%q: %w", p, blob.ErrOutside)
	}
	return nil
}

// look returns what is at a path; "" is the root. If paths are confined, none of their names may be a link or closed.
func (s *Store) look(p string) (fs.FileInfo, error) {
	if p != "" {
		if err := valid(p); err != nil {
			return nil, err
		}
	}
	name := s.name(p)
	if s.root == nil || name == "." {
		info, err := s.dir.Stat(name)
		return info, failed(p, err)
	}
	var info fs.FileInfo
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '/' {
			continue
		}
		var err error
		if info, err = s.dir.Lstat(name[:i]); err != nil {
			return nil, failed(p, err)
		}
		if info.Mode()&fs.ModeSymlink != 0 || s.closed(info) {
			return nil, fmt.Errorf("%q: %w", p, blob.ErrOutside)
		}
	}
	return info, nil
}

// failure is an error of the file system. Its text has the path in the store, and not that of the folder.
type failure struct {
	path        string
	kind, cause error
}

func (f *failure) Error() string {
	var code syscall.Errno
	if f.kind == blob.ErrFailed && errors.As(f.cause, &code) {
		return fmt.Sprintf("%q: %v: %v", f.path, f.kind, code)
	}
	return fmt.Sprintf("%q: %v", f.path, f.kind)
}

func (f *failure) Unwrap() []error { return []error{f.kind, f.cause} }

// failed translates an error of the file system.
func failed(p string, err error) error {
	var code syscall.Errno
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return &failure{p, blob.ErrNotExist, err}
	case errors.Is(err, fs.ErrExist):
		return &failure{p, blob.ErrExist, err}
	case errors.Is(err, fs.ErrPermission):
		return &failure{p, blob.ErrPermission, err}
	case errors.As(err, &code):
		return &failure{p, blob.ErrFailed, err}
	}
	return fmt.Errorf("%q: %w", p, err)
}

// Stat implements blob.Store.
func (s *Store) Stat(ctx context.Context, p string) (blob.Object, error) {
	if err := ctx.Err(); err != nil {
		return blob.Object{}, err
	}
	if p == "" {
		return blob.Object{}, fmt.Errorf("%q: %w", p, blob.ErrOutside)
	}
	info, err := s.look(p)
	if err != nil {
		return blob.Object{}, err
	}
	if !info.Mode().IsRegular() {
		return blob.Object{}, fmt.Errorf("%q: %w", p, blob.ErrNotExist)
	}
	return objectOf(p, info), nil
}

func objectOf(p string, info fs.FileInfo) blob.Object {
	o := blob.Object{Path: p, Size: info.Size(), Modified: info.ModTime(), Link: info.Mode()&fs.ModeSymlink != 0}
	inode := uint64(0)
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = st.Ino
	}
	o.Version = fmt.Sprintf("%x-%x-%x", o.Size, info.ModTime().UnixNano(), inode)
	return o
}
