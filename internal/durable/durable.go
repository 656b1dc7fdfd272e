// Package durable writes files of the local disk so that they survive a crash of the machine: the content of a file and its name
// are on the disk when a call returns. A file gets its name when it is whole. No other package syncs files or folders, except for
// append-only files that have rules of their own.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Dir is a folder that names lead into. *os.Root is a Dir that no name leads out of.
type Dir interface {
	OpenFile(name string, flag int, mode fs.FileMode) (*os.File, error)
	Stat(name string) (fs.FileInfo, error)
	Lstat(name string) (fs.FileInfo, error)
	Mkdir(name string, mode fs.FileMode) error
	Rename(from, to string) error
	Link(from, to string) error
	Remove(name string) error
	RemoveAll(name string) error
}

var (
	_ Dir = (*os.Root)(nil)
	_ Dir = Folder("")
)

// Folder is the path of a folder whose symbolic links are followed, wherever they lead.
type Folder string

func (f Folder) path(name string) string { return filepath.Join(string(f), name) }

// OpenFile implements Dir.
func (f Folder) OpenFile(name string, flag int, mode fs.FileMode) (*os.File, error) {
	return os.OpenFile(f.path(name), flag, mode)
}

// Stat implements Dir.
func (f Folder) Stat(name string) (fs.FileInfo, error) { return os.Stat(f.path(name)) }

// Lstat implements Dir.
func (f Folder) Lstat(name string) (fs.FileInfo, error) { return os.Lstat(f.path(name)) }

// Mkdir implements Dir.
func (f Folder) Mkdir(name string, mode fs.FileMode) error { return os.Mkdir(f.path(name), mode) }

// Rename implements Dir.
func (f Folder) Rename(from, to string) error { return os.Rename(f.path(from), f.path(to)) }

// Link implements Dir.
func (f Folder) Link(from, to string) error { return os.Link(f.path(from), f.path(to)) }

// Remove implements Dir.
func (f Folder) Remove(name string) error { return os.Remove(f.path(name)) }

// RemoveAll implements Dir.
func (f Folder) RemoveAll(name string) error { return os.RemoveAll(f.path(name)) }

// WriteFile writes a file with mode 0600, in the place of one that is there: the old content is there or the new, whole.
func WriteFile(path string, content []byte) error {
	return write(path, content, false)
}

// CreateFile writes a file with mode 0600. fs.ErrExist if there is one already, which stays.
func CreateFile(path string, content []byte) error {
	return write(path, content, true)
}

func write(path string, content []byte, exclusive bool) error {
	dir, name := filepath.Split(path)
	f, err := Create(Folder(filepath.Clean(dir)), ".", false)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(content); err != nil {
		return err
	}
	return f.Commit(name, exclusive)
}

// Sync brings the names in a folder to the disk.
func Sync(d Dir, folder string) error {
	f, err := d.OpenFile(folder, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
