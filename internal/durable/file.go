package durable

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Unfinished is what the name of a file ends with until Commit; it begins with a dot. A process that is killed before leaves the file.
const Unfinished = ".part"

// beginEvery is how many bytes are written to a file before the kernel is asked to bring them to the disk. The kernel does so
// meanwhile: otherwise a file of 128 MiB is first written when it is synced, while its writer waits.
const beginEvery = 8 << 20

// File is a file that is written from its beginning to its end. It is not safe for concurrent use.
type File struct {
	dir            Dir
	file           *os.File
	temp           string
	volatile       bool
	written, begun int64 // bytes: in all, and those that the kernel was asked to write to the disk
	ended          bool
}

// Create begins a file with mode 0600 in a folder, under a name of its own. A volatile file is never synced.
func Create(d Dir, folder string, volatile bool) (*File, error) {
	temp := filepath.Join(folder, "."+rand.Text()+Unfinished)
	f, err := d.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &File{dir: d, file: f, temp: temp, volatile: volatile}, nil
}

// Write implements io.Writer.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	f.written += int64(n)
	if f.written-f.begun >= beginEvery && !f.volatile {
		beginSync(f.file, f.begun, f.written-f.begun)
		f.begun = f.written
	}
	return n, err
}

// Commit gives the file its name, a path in the folder of Create or in another one of the same file system, and ends it. With exclusive
// it returns fs.ErrExist if there is a file of the name. After an error there is no such file, or it is whole but may not survive a
// crash.
func (f *File) Commit(name string, exclusive bool) error {
	if f.ended {
		return fs.ErrClosed
	}
	f.ended = true
	err := f.end()
	if err == nil {
		err = f.rename(name, exclusive)
	}
	if err != nil {
		return errors.Join(err, f.dir.Remove(f.temp))
	}
	if f.volatile {
		return nil
	}
	return Sync(f.dir, filepath.Dir(name))
}

// end brings the content to the disk.
func (f *File) end() (err error) {
	if !f.volatile {
		err = f.file.Sync()
	}
	return errors.Join(err, f.file.Close())
}

// rename names the file.
func (f *File) rename(name string, exclusive bool) error {
	if !exclusive {
		return named(f.dir.Rename(f.temp, name))
	}
	err := f.dir.Link(f.temp, name)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOSYS) {
		// The file system has no links. No other process writes there.
		if _, err := f.dir.Lstat(name); err == nil {
			return &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
		}
		return named(f.dir.Rename(f.temp, name))
	}
	if err != nil {
		return named(err)
	}
	return f.dir.Remove(f.temp)
}

// named says which file could not get its name.
func named(err error) error {
	var link *os.LinkError
	if errors.As(err, &link) {
		return &fs.PathError{Op: "create", Path: link.New, Err: link.Err}
	}
	return err
}

// Abort closes and removes the file. After Commit it does nothing.
func (f *File) Abort() {
	if f.ended {
		return
	}
	f.ended = true
	_ = f.file.Close()
	_ = f.dir.Remove(f.temp) // stays under its own name otherwise
}
