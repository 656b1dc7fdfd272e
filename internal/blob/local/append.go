package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"roster/internal/blob"
	"roster/internal/durable"
)

// Append opens a file to write it after its first size bytes, and drops the bytes after these. With size 0 the file is made if it is absent.
// A file that is absent or shorter is ErrChanged. Its readers see what is written at once; it is durable when Commit
// returns, and the first size bytes stay in any case. One writer at a time, of all processes, has the file until Commit
// or Abort: for another one it is ErrBusy. Files that others read are not for Append.
func (s *Store) Append(ctx context.Context, p string, size int64) (blob.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a := &appender{ctx: ctx, store: s, path: p, made: size == 0}
	open := func() (err error) {
		flags := os.O_WRONLY | syscall.O_NOFOLLOW
		if a.made {
			flags |= os.O_CREATE
		}
		a.file, err = s.dir.OpenFile(s.name(p), flags, 0o600)
		return failed(p, err)
	}
	var err error
	if a.made {
		err = s.inFolder(p, open)
	} else if err = s.room(p, false); err == nil {
		err = open()
	}
	if errors.Is(err, blob.ErrNotExist) {
		err = fmt.Errorf("%q: %w", p, blob.ErrChanged)
	}
	if err != nil {
		return nil, err
	}
	if err := s.claim(a.file, p, size); err != nil {
		a.file.Close()
		return nil, err
	}
	return a, nil
}

// claim locks a file, and prepares it to be written after its first size bytes.
func (s *Store) claim(f *os.File, p string, size int64) error {
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case err == nil:
	case errors.Is(err, syscall.EWOULDBLOCK):
		return fmt.Errorf("%q: %w", p, blob.ErrBusy)
	case errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.ENOLCK):
		// The file system has no locks. No other process writes there.
	default:
		return failed(p, err)
	}
	// Before the lock, the file may have been moved to another path, where it must not change.
	info, err := f.Stat()
	if err != nil {
		return failed(p, err)
	}
	if now, err := s.dir.Lstat(s.name(p)); err != nil || !os.SameFile(info, now) || !info.Mode().IsRegular() || info.Size() < size {
		return fmt.Errorf("%q: %w", p, blob.ErrChanged)
	}
	if err := f.Truncate(size); err != nil {
		return failed(p, err)
	}
	_, err = f.Seek(size, io.SeekStart)
	return failed(p, err)
}

// appender writes the end of a file.
type appender struct {
	ctx   context.Context
	store *Store
	path  string
	file  *os.File
	made  bool // the name of the file may not be on the disk
	ended bool
}

// Write implements blob.Writer.
func (a *appender) Write(p []byte) (int, error) {
	if err := a.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := a.file.Write(p)
	return n, failed(a.path, err)
}

// Commit implements blob.Writer.
func (a *appender) Commit() error {
	if a.ended {
		return fs.ErrClosed
	}
	a.ended = true
	err := a.file.Sync()
	if err == nil && a.made {
		err = durable.Sync(a.store.dir, path.Dir(a.store.name(a.path)))
	}
	return failed(a.path, errors.Join(err, a.file.Close()))
}

// Abort implements blob.Writer. What was written may stay.
func (a *appender) Abort() {
	if !a.ended {
		a.ended = true
		a.file.Close()
	}
}
