// Package bucket reads the stores of clouds: Amazon S3 and what speaks its protocol (Google Cloud Storage does, with
// HMAC keys), Google Cloud Storage by service accounts, and Azure's Blob Storage and Data Lake. An object is pinned by its
// ETag, or its generation: every request for its bytes has that as a condition, so that no byte of another version is ever
// taken for one of it.
//
// Blobs of Azure with ", #, % or ? in their names cannot be addressed, since the library escapes these in a way of its own:
// they are listed, and do not exist for Stat.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"roster/internal/fault"
	"roster/internal/netguard"
	"roster/internal/source"
	"roster/internal/source/ahead"
)

// Store is a bucket, or what is below a folder of it.
type Store struct {
	bucket *blob.Bucket
	folder string // with a slash at its end, or ""
	driver driver
	part   bool // of another Store, whose bucket it is
}

// driver is how the libraries of the clouds differ.
type driver interface {
	// listed returns the version of a listed object; false for what is not one.
	listed(o *blob.ListObject) (version string, ok bool)
	// version returns the version of an object.
	version(a *blob.Attributes) string
	// pin makes a request for bytes fail when the object has another version.
	pin(as func(any) bool, version string)
	// same reports whether the bytes of an answer are of the version, as far as the answer says.
	same(as func(any) bool, version string) bool
	// refused explains an error that the store's own code tells better than its kind; nil when it does not.
	refused(err error) error
}

var _ source.Atomic = (*Store)(nil)

// Atomic implements source.Atomic: an object is there when its last byte is.
func (s *Store) Atomic() {}

func newStore(b *blob.Bucket, folder string, d driver) *Store {
	if folder = strings.Trim(folder, "/"); folder != "" {
		folder += "/"
	}
	return &Store{bucket: b, folder: folder, driver: d}
}

// Close implements io.Closer. A part of another Store leaves that open.
func (s *Store) Close() error {
	if s.part {
		return nil
	}
	return s.bucket.Close()
}

// Below is the part of the store that is below a folder.
func (s *Store) Below(folder string) *Store {
	below := newStore(s.bucket, s.folder+folder, s.driver)
	below.part = true
	return below
}

// Put puts an object in its place, at once, in that of one that is there.
func (s *Store) Put(ctx context.Context, path string, content io.Reader) error {
	key, err := s.key(path)
	if err != nil {
		return err
	}
	if err := s.bucket.Upload(ctx, key, content, &blob.WriterOptions{ContentType: "application/octet-stream"}); err != nil {
		return s.failure(ctx, path, err)
	}
	return nil
}

// Remove removes an object; an absent one may be an error.
func (s *Store) Remove(ctx context.Context, path string) error {
	key, err := s.key(path)
	if err != nil {
		return err
	}
	if err := s.bucket.Delete(ctx, key); err != nil {
		return s.failure(ctx, path, err)
	}
	return nil
}

// key returns the key of a path.
func (s *Store) key(path string) (string, error) {
	if !fs.ValidPath(path) || path == "." || strings.Contains(path, "\x00") {
		return "", fmt.Errorf("%q: %w", path, source.ErrOutside)
	}
	return s.folder + path, nil
}

// Stat implements source.Store.
func (s *Store) Stat(ctx context.Context, path string) (source.Object, error) {
	if err := errors.Join(ctx.Err(), fault.At("source.stat")); err != nil {
		return source.Object{}, err
	}
	key, err := s.key(path)
	if err != nil {
		return source.Object{}, err
	}
	a, err := s.bucket.Attributes(ctx, key)
	if err != nil {
		return source.Object{}, s.failure(ctx, path, err)
	}
	version := s.driver.version(a)
	if version == "" {
		version = untaggedVersion(a.Size, a.ModTime)
	}
	return source.Object{Path: path, Size: a.Size, Modified: a.ModTime, Version: version}, nil
}

// List implements source.Store.
func (s *Store) List(ctx context.Context, folder string, fn func(source.Object) error) error {
	if err := fault.At("source.list"); err != nil {
		return err
	}
	prefix := s.folder
	if folder != "" {
		key, err := s.key(folder)
		if err != nil {
			return err
		}
		prefix = key + "/"
	}
	found := false
	for it := s.bucket.List(&blob.ListOptions{Prefix: prefix}); ; {
		o, err := it.Next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			return s.failure(ctx, folder, err)
		}
		found = true
		path := strings.TrimPrefix(o.Key, s.folder)
		if strings.HasSuffix(o.Key, "/") || !fs.ValidPath(path) {
			continue // what consoles put there for a folder, and keys that are no paths
		}
		version, ok := s.driver.listed(o)
		if !ok {
			continue
		}
		if version == "" {
			version = untaggedVersion(o.Size, o.ModTime)
		}
		if err := fn(source.Object{Path: path, Size: o.Size, Modified: o.ModTime, Version: version}); err != nil {
			return err
		}
	}
	if !found && folder != "" {
		return fmt.Errorf("%q: %w", folder, source.ErrNotExist)
	}
	return nil
}

// Open implements source.Store.
func (s *Store) Open(ctx context.Context, obj source.Object, offset, length int64) (io.ReadCloser, error) {
	if err := errors.Join(ctx.Err(), fault.At("source.open")); err != nil {
		return nil, err
	}
	key, err := s.key(obj.Path)
	if err != nil {
		return nil, err
	}
	end := obj.Size
	if length >= 0 {
		end = min(end, offset+length)
	}
	return ahead.Read(ctx, offset, end, func(ctx context.Context, offset int64, part []byte) (int, error) {
		n, err := s.read(ctx, key, obj.Version, offset, part)
		if err != nil {
			err = s.failure(ctx, obj.Path, err)
		}
		return n, err
	}), nil
}

// read fills a part with the bytes of an object from an offset, and returns how many it got beside an error.
func (s *Store) read(ctx context.Context, key, version string, offset int64, part []byte) (int, error) {
	if err := fault.At("source.read"); err != nil {
		return 0, err
	}
	r, err := s.bucket.NewRangeReader(ctx, key, offset, int64(len(part)), &blob.ReaderOptions{BeforeRead: func(as func(any) bool) error {
		if !strings.HasPrefix(version, untagged) {
			s.driver.pin(as, version)
		}
		return nil
	}})
	if err != nil {
		return 0, err
	}
	defer r.Close()
	if strings.HasPrefix(version, untagged) && version != untaggedVersion(r.Size(), r.ModTime()) || !s.driver.same(r.As, version) {
		return 0, source.ErrChanged
	}
	return io.ReadFull(r, part)
}

// untagged begins the version of an object of which a store tells no ETag, as gateways before folders do of files that did not
// come through them: its size and its time, in seconds, which each answer with bytes of it tells as well.
const untagged = "untagged-"

func untaggedVersion(size int64, modified time.Time) string {
	return fmt.Sprintf("%s%d-%d", untagged, size, modified.Unix())
}

// tagged is how the drivers whose objects are pinned by their ETags tell the version of one.
type tagged struct{}

func (tagged) version(a *blob.Attributes) string { return bare(a.ETag) }

func (tagged) same(func(any) bool, string) bool { return true } // the condition is all there is

// quoted is an ETag as a condition of a request.
func quoted(version string) string { return `"` + version + `"` }

// bare is an ETag without quotes, which some calls answer and others do not.
func bare(etag string) string { return strings.Trim(etag, `"`) }

// failure translates an error of a store.
func (s *Store) failure(ctx context.Context, path string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if known := s.driver.refused(err); known != nil {
		return fmt.Errorf("%q: %w", path, known)
	}
	if errors.Is(err, source.ErrChanged) {
		return fmt.Errorf("%q: %w", path, source.ErrChanged)
	}
	var inNet *net.OpError
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		return fmt.Errorf("%q: %w", path, source.ErrNotExist)
	case gcerrors.PermissionDenied:
		return fmt.Errorf("%q: %w", path, source.ErrPermission)
	case gcerrors.FailedPrecondition:
		return fmt.Errorf("%q: %w", path, source.ErrChanged)
	}
	if errors.Is(err, netguard.ErrForbidden) {
		return fmt.Errorf("%q: %w: %w", path, source.ErrUnreachable, netguard.ErrForbidden)
	}
	if errors.As(err, &inNet) {
		return fmt.Errorf("%q: %w", path, source.ErrUnreachable)
	}
	return fmt.Errorf("%q: %w", path, err)
}
