// Package blob is the contract of byte stores: objects with paths, in a folder of the local disk or in a bucket. An object is
// written once and whole: nobody sees a part of it, nothing is appended to it and it keeps its path.
package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
)

// Errors of a store, wrapped with the path. Engines translate their drivers' errors to these by type.
var (
	// ErrNotExist is an absent object or folder. It is fs.ErrNotExist, too.
	ErrNotExist   error = notExist{}
	ErrChanged          = errors.New("changed while it was read")
	ErrOutside          = errors.New("lies outside the root of its connection")
	ErrPermission       = errors.New("permission denied")
	// ErrExist is an object at a path where a new one must not take its place.
	ErrExist = errors.New("exists already")
	// ErrChecksum is content that does not have the checksum that it should.
	ErrChecksum = errors.New("has another checksum than it should")
	// ErrBusy is an object that another writer is continuing. Only a store on a disk can continue objects.
	ErrBusy = errors.New("is being written by another")
	// ErrCredentials is a store's refusal of the caller's credentials; ErrNoBucket is an absent bucket or container.
	ErrCredentials = errors.New("the credentials are refused")
	ErrNoBucket    = errors.New("there is no such bucket or container")
	// ErrUnreachable is a host that cannot be reached, or must not be.
	ErrUnreachable = errors.New("the host cannot be reached")
	// ErrFailed is any other failure of the store, or no answer at all. The text behind it is the reason in short and never
	// the text of a driver, which may quote addresses with signatures in them.
	ErrFailed = errors.New("the store fails")
)

type notExist struct{}

func (notExist) Error() string        { return "does not exist" }
func (notExist) Is(target error) bool { return target == fs.ErrNotExist }

// Unfinished reports whether a listed path is that of an object that a process was writing when it was killed; see Store.List.
func Unfinished(p string) bool {
	name := path.Base(p)
	return strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".part")
}

// Object is what a store says of an object.
type Object struct {
	// Path is relative to the root of the store, with forward slashes and no leading one.
	Path     string
	Size     int64 // bytes
	Modified time.Time
	// Version changes whenever the object's content may have: an ETag, a generation, or size, time and inode.
	Version string
	// Link says that the object is a symbolic link. Nothing is said of its target. Only a store that can list links has any.
	Link bool
}

// Stopped returns nil if fn stopped a listing with fs.SkipAll, and otherwise err.
func Stopped(err error) error {
	if errors.Is(err, fs.SkipAll) {
		return nil
	}
	return err
}

// Store is a byte store. It is safe for concurrent use.
//
// Paths with "..", absolute paths and empty names in a path are ErrOutside, and nothing is read or written. A cancelled context ends any
// call with its error; what the call was to write is not there then. A folder is what the paths of objects have in common: it exists as
// long as an object is below it. "" is the root, which always exists.
type Store interface {
	// List calls fn for every object below the folder, recursively, in ascending order of Path. An absent folder is ErrNotExist.
	// A bucket may have keys that are no paths, which are listed and cannot be opened. An error of fn ends the listing and
	// is returned, except that List returns nil after fs.SkipAll. Symbolic links are neither followed nor listed. What a process was writing when it was killed may be listed, by
	// a name that begins with a dot and ends in .part.
	List(ctx context.Context, folder string, fn func(Object) error) error
	// Browse calls fn for every object directly in the folder, and for every folder there, of which only the path is set, in any
	// order. Otherwise Browse is like List.
	Browse(ctx context.Context, folder string, fn func(o Object, folder bool) error) error
	// Stat returns the object; ErrNotExist if it is absent or a folder.
	Stat(ctx context.Context, path string) (Object, error)
	// Open reads length bytes from offset (length -1: to the end) of the object in the version that obj has. If the object at
	// the path has another version, or becomes shorter, Open or a Read returns ErrChanged; a reader that reached io.EOF without
	// error has returned the bytes of that version. An absent object is ErrNotExist or ErrChanged.
	Open(ctx context.Context, obj Object, offset, length int64) (io.ReadCloser, error)
	// OpenFile opens the object for reads at any place, in the version that it has now; ErrNotExist if it is absent. The file
	// stays readable if the object is removed or replaced, or its reads return ErrChanged or ErrNotExist. The context is that
	// of all its reads.
	OpenFile(ctx context.Context, path string) (File, error)
	// Create begins an object, in the place of one that is there unless the options say otherwise. Nothing is at the path
	// before Commit. The context is that of all that is written.
	Create(ctx context.Context, path string, o CreateOptions) (Writer, error)
	// Remove removes objects. An absent one is no error. An error leaves some of them.
	Remove(ctx context.Context, paths ...string) error
	// RemoveAll removes everything below the folder, and what killed processes left there. An absent folder is no error.
	RemoveAll(ctx context.Context, folder string) error
	// Below returns the part of the store below a folder, which needs not exist. It has the life of the store: it is not closed.
	Below(folder string) Store
}

// File is an object that is open for reads.
type File interface {
	// ReadAt implements io.ReaderAt: fewer bytes than asked for are io.EOF.
	io.ReaderAt
	io.Closer
	// Size is the object's size in bytes.
	Size() int64
}

// CreateOptions say how an object is written. The zero value replaces, durably.
type CreateOptions struct {
	// IfAbsent has Create or Commit return ErrExist if an object is at the path. Of several writers one succeeds at most: a bucket
	// whose answer was lost may say ErrExist to the one that made the object.
	IfAbsent bool
	// Volatile permits the store to lose the object, or a part of it, in a crash of its machine.
	Volatile bool
}

// Writer writes an object. It is not safe for concurrent use.
type Writer interface {
	// Write implements io.Writer. After an error only Abort is of use.
	io.Writer
	// Commit ends the object. When it returns nil, the object is at its path, whole and durable. After an error, the object is not
	// there, or it is there whole if the store could not tell.
	Commit() error
	// Abort gives the object up: what was at the path before stays. After Commit it does nothing.
	Abort()
}

// Renamer is a Writer whose path may be changed until Commit. Stores that have to know the path before the first byte have none.
type Renamer interface {
	Writer
	Rename(path string)
}

// PathConflictError is the error of a path that no object can have: a folder is there, or an object or a link is where a folder would have to
// be. A bucket has none of it.
type PathConflictError struct {
	Path string
	At   string // the path of what is in the way
}

func (e *PathConflictError) Error() string {
	if e.At == e.Path {
		return fmt.Sprintf("%q is there and is not a file", e.At)
	}
	return fmt.Sprintf("%q: %q is not a folder", e.Path, e.At)
}

// Put writes content to an object, in the place of one that is there unless the options say otherwise. If sum, a SHA-256, is not nil and the
// content has another one, the error is ErrChecksum and nothing was changed, and so it is if reading or writing fails. It returns
// how many bytes were written.
func Put(ctx context.Context, s Store, path string, content io.Reader, sum []byte, o CreateOptions) (int64, error) {
	w, err := s.Create(ctx, path, o)
	if err != nil {
		return 0, err
	}
	defer w.Abort()
	to, h := io.Writer(w), sha256.New()
	if sum != nil {
		to = io.MultiWriter(w, h)
	}
	n, err := io.Copy(to, content)
	if err == nil && sum != nil && !bytes.Equal(h.Sum(nil), sum) {
		err = fmt.Errorf("%q: %w", path, ErrChecksum)
	}
	if err != nil {
		return n, err
	}
	return n, w.Commit()
}

// Get reads an object of moderate size whole. ErrNotExist if it is absent.
func Get(ctx context.Context, s Store, path string) ([]byte, error) {
	f, err := s.OpenFile(ctx, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content := make([]byte, f.Size())
	n, err := f.ReadAt(content, 0)
	if n == len(content) {
		return content, nil
	}
	if err == io.EOF {
		err = fmt.Errorf("%q: %w", path, ErrChanged)
	}
	return nil, err
}
