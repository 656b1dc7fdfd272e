package local

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"roster/internal/blob"
)

// Open implements blob.Store.
func (s *Store) Open(ctx context.Context, obj blob.Object, offset, length int64) (io.ReadCloser, error) {
	f, err := s.open(ctx, obj.Path)
	if err != nil {
		return nil, err
	}
	r := &reader{ctx: ctx, f: f, obj: obj, left: length, closed: s.closed}
	if err := r.check(); err != nil {
		f.Close()
		return nil, err
	}
	if length < 0 {
		r.left = obj.Size - offset
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		f.Close()
		return nil, failed(obj.Path, err)
	}
	return r, nil
}

// open opens the file of an object.
func (s *Store) open(ctx context.Context, p string) (*os.File, error) {
	if s.root == nil { // what is there, the open file says
		if err := valid(p); err != nil {
			return nil, err
		}
		f, err := s.dir.OpenFile(s.name(p), os.O_RDONLY, 0)
		return f, failed(p, err)
	}
	if _, err := s.Stat(ctx, p); err != nil {
		return nil, err
	}
	f, err := s.dir.OpenFile(s.name(p), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	return f, failed(p, err)
}

// file is an open file.
type file struct {
	*os.File
	size int64
}

// Size implements blob.File.
func (f file) Size() int64 { return f.size }

// OpenFile implements blob.Store.
func (s *Store) OpenFile(ctx context.Context, p string) (blob.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := s.open(ctx, p)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		err = failed(p, err)
	case s.closed(info):
		err = fmt.Errorf("%q: %w", p, blob.ErrOutside)
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%q: %w", p, blob.ErrNotExist)
	default:
		return file{f, info.Size()}, nil
	}
	f.Close()
	return nil, err
}

// reader reads a range of a pinned file and looks at its end whether the file is still the pinned one.
type reader struct {
	ctx  context.Context
	f    *os.File
	obj  blob.Object
	left int64

	closed func(fs.FileInfo) bool
}

func (r *reader) check() error {
	info, err := r.f.Stat()
	if err != nil {
		return failed(r.obj.Path, err)
	}
	if r.closed(info) {
		return fmt.Errorf("%q: %w", r.obj.Path, blob.ErrOutside)
	}
	if objectOf(r.obj.Path, info).Version != r.obj.Version {
		return fmt.Errorf("%q: %w", r.obj.Path, blob.ErrChanged)
	}
	return nil
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
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
		return n, fmt.Errorf("%q: %w", r.obj.Path, blob.ErrChanged)
	}
	return n, failed(r.obj.Path, err)
}

// Close implements io.Closer.
func (r *reader) Close() error { return r.f.Close() }
