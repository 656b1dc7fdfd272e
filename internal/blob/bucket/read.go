package bucket

import (
	"context"
	"io"

	"roster/internal/blob"
	"roster/internal/blob/ahead"
)

// Open implements blob.Store. Nothing is asked of the store before the first Read.
func (s *Store) Open(ctx context.Context, obj blob.Object, offset, length int64) (io.ReadCloser, error) {
	f, err := s.file(ctx, obj)
	if err != nil {
		return nil, err
	}
	end := obj.Size
	if length >= 0 {
		end = min(end, offset+length)
	}
	return ahead.Read(ctx, offset, end, f.fetch), nil
}

// OpenFile implements blob.Store. Each read is a request of its own.
func (s *Store) OpenFile(ctx context.Context, path string) (blob.File, error) {
	obj, err := s.Stat(ctx, path)
	if err != nil {
		return nil, err
	}
	return s.file(ctx, obj)
}

// file is an object in a version.
type file struct {
	store *Store
	ctx   context.Context
	key   string
	obj   blob.Object
}

func (s *Store) file(ctx context.Context, obj blob.Object) (*file, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	key, err := s.key(obj.Path)
	if err != nil {
		return nil, err
	}
	return &file{s, ctx, key, obj}, nil
}

func (f *file) fetch(ctx context.Context, offset int64, part []byte) (int, error) {
	n, err := f.store.engine.read(ctx, f.key, f.obj.Version, offset, part)
	if err != nil {
		err = f.store.failure(ctx, f.obj.Path, err)
	}
	return n, err
}

// ReadAt implements io.ReaderAt.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	want := p[:max(min(int64(len(p)), f.obj.Size-off), 0)]
	if len(want) > 0 {
		if n, err := ahead.Fill(f.ctx, off, want, f.fetch); err != nil {
			return n, err
		}
	}
	if len(want) < len(p) {
		return len(want), io.EOF
	}
	return len(want), nil
}

// Size implements blob.File.
func (f *file) Size() int64 { return f.obj.Size }

// Close implements io.Closer.
func (f *file) Close() error { return nil }
