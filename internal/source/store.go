// Package source is the contract of the stores of users' files: list, stat, open a range. An object is pinned by its
// version: reading another version fails with ErrChanged. Every byte store (package blob) is a source.
package source

import (
	"context"
	"io"
	"strings"

	"roster/internal/blob"
)

// Errors of a store are those of byte stores. Engines translate their drivers' errors to these by type.
var (
	ErrNotExist    = blob.ErrNotExist
	ErrChanged     = blob.ErrChanged
	ErrOutside     = blob.ErrOutside
	ErrPermission  = blob.ErrPermission
	ErrCredentials = blob.ErrCredentials
	ErrNoBucket    = blob.ErrNoBucket
	ErrUnreachable = blob.ErrUnreachable
	ErrFailed      = blob.ErrFailed
)

// Object is a file in a store. Link is set only by a Linked store.
type Object = blob.Object

// Store reads objects in pinned versions: it is the part of a byte store that a source needs. Paths with "..", absolute
// paths and paths through a symbolic link return ErrOutside, and nothing is read. A cancelled context ends any call
// with its error.
type Store interface {
	// List calls fn for every regular object below the folder, recursively, in ascending order of Path. "" is the root.
	// An absent folder is ErrNotExist. A bucket may have names that are not paths (see PassedOver), which can be listed
	// but not opened. An error of fn ends the listing and is returned, except that List returns nil after fs.SkipAll.
	// List omits symbolic links below the folder and does not follow them.
	List(ctx context.Context, folder string, fn func(Object) error) error
	// Browse calls fn for every regular object directly in the folder, and for every folder there, with only its path,
	// in any order. Otherwise it is like List without the folders below.
	Browse(ctx context.Context, folder string, fn func(o Object, folder bool) error) error
	// Stat returns the object; ErrNotExist if it is absent or a folder.
	Stat(ctx context.Context, path string) (Object, error)
	// Open reads length bytes from offset (length -1: to the end) of the pinned object. If the object at the path no
	// longer has obj.Version, Open or a Read returns ErrChanged; a reader that reached io.EOF without an error has
	// returned the pinned version's bytes.
	Open(ctx context.Context, obj Object, offset, length int64) (io.ReadCloser, error)
}

// Linked is a Store that may contain symbolic links, which are never followed. Callers that report the skipped contents
// of a folder use it to list them.
type Linked interface {
	Store
	// ListLinks is List with the links among the objects.
	ListLinks(ctx context.Context, folder string, fn func(Object) error) error
}

// ListAll lists a folder with the links in it, if the store can have any.
func ListAll(ctx context.Context, s Store, folder string, fn func(Object) error) error {
	if linked, ok := s.(Linked); ok {
		return linked.ListLinks(ctx, folder, fn)
	}
	return s.List(ctx, folder, fn)
}

// WithoutLinks passes on the objects that are not links.
func WithoutLinks(fn func(Object) error) func(Object) error {
	return func(o Object) error {
		if o.Link {
			return nil
		}
		return fn(o)
	}
}

// Atomic is a Store whose objects appear only when they are complete, so that nobody has to wait for one.
type Atomic interface {
	Store
	Atomic()
}

// Reason returns the part of an error after the text of its kind, without the path before it.
func Reason(err, kind error) string {
	text := err.Error()
	if i := strings.Index(text, kind.Error()); i >= 0 {
		return text[i:]
	}
	return kind.Error()
}
