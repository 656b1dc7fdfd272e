// Package bucket is the byte store in the stores of clouds: Amazon S3 and what speaks its protocol (Google Cloud Storage does, with
// HMAC keys), Google Cloud Storage by service accounts, and Azure's Blob Storage and Data Lake. An object is pinned by its
// ETag, or its generation: every request for its bytes has that as a condition, so that no byte of another version is ever
// taken for one of it.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"time"
	"unicode"

	"roster/internal/blob"
)

// Store is a bucket, or what is below a folder of it.
type Store struct {
	engine engine
	folder string // with a slash at its end, or ""
}

// engine is a bucket as a library speaks to it. Errors are the library's.
type engine interface {
	// list calls fn with the keys that begin with prefix, in order, and what is known of their objects. Unless deep is set, it
	// looks at no key with a slash behind the prefix, but calls fn with what is up to that slash, once, in any order.
	list(ctx context.Context, prefix string, deep bool, fn func(key string, o blob.Object) error) error
	stat(ctx context.Context, key string) (blob.Object, error)
	// read fills a part with the bytes of an object in a version from an offset, and returns how many it got beside an error.
	read(ctx context.Context, key, version string, offset int64, part []byte) (int, error)
	// put writes an object. With absent it fails with ErrChanged, or what refused says is ErrChanged, if there is one.
	put(ctx context.Context, key string, content io.Reader, absent bool) error
	remove(ctx context.Context, key string) error
	// refused is what an error of the library means: one of package blob's; nil when it says nothing of the store's.
	refused(err error) error
}

// contentType is that of all objects that Roster puts.
const contentType = "application/octet-stream"

var _ blob.Store = (*Store)(nil)

// Atomic implements source.Atomic: an object is there when its last byte is.
func (s *Store) Atomic() {}

func newStore(e engine, folder string) *Store {
	if folder = strings.Trim(folder, "/"); folder != "" {
		folder += "/"
	}
	return &Store{engine: e, folder: folder}
}

// Below implements blob.Store.
func (s *Store) Below(folder string) blob.Store { return newStore(s.engine, s.folder+folder) }

// key returns the key of a path.
func (s *Store) key(path string) (string, error) {
	if !valid(path) {
		return "", fmt.Errorf("%q: %w", path, blob.ErrOutside)
	}
	return s.folder + path, nil
}

// valid reports whether an object can be put at a path.
func valid(path string) bool {
	return fs.ValidPath(path) && path != "." && !strings.Contains(path, "\x00")
}

// Stat implements blob.Store.
func (s *Store) Stat(ctx context.Context, path string) (blob.Object, error) {
	if err := ctx.Err(); err != nil {
		return blob.Object{}, err
	}
	key, err := s.key(path)
	if err != nil {
		return blob.Object{}, err
	}
	o, err := s.engine.stat(ctx, key)
	if err != nil {
		return blob.Object{}, s.failure(ctx, path, err)
	}
	return completed(o, path), nil
}

// completed is an object with its path. One of which the store tells no ETag has a version all the same.
func completed(o blob.Object, path string) blob.Object {
	o.Path = path
	if o.Version == "" {
		o.Version = untaggedVersion(o.Size, o.Modified)
	}
	return o
}

// List implements blob.Store. What consoles put there for a folder, an object whose key ends in a slash, is left out.
func (s *Store) List(ctx context.Context, folder string, fn func(blob.Object) error) error {
	return s.list(ctx, folder, true, func(o blob.Object, below bool) error {
		if below {
			return nil
		}
		return fn(o)
	})
}

// Browse implements blob.Store.
func (s *Store) Browse(ctx context.Context, folder string, fn func(o blob.Object, folder bool) error) error {
	return s.list(ctx, folder, false, fn)
}

func (s *Store) list(ctx context.Context, folder string, deep bool, fn func(o blob.Object, folder bool) error) error {
	if err := ctx.Err(); err != nil {
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
	var ended error
	err := s.engine.list(ctx, prefix, deep, func(key string, o blob.Object) error {
		found = true
		if key == prefix {
			return nil
		}
		path, below := strings.CutSuffix(strings.TrimPrefix(key, s.folder), "/")
		if below && !fs.ValidPath(path) {
			return nil
		}
		ended = fn(completed(o, path), below)
		return ended
	})
	if ended != nil {
		return blob.Stopped(ended)
	}
	if err != nil {
		return s.failure(ctx, folder, err)
	}
	if !found && folder != "" {
		return fmt.Errorf("%q: %w", folder, blob.ErrNotExist)
	}
	return nil
}

// straight is a client that follows no redirect. Requests are signed for the host that they were sent to, so that none could be
// answered elsewhere; but what else is in them, a session token or an address with a signature in it, would be told there.
func straight(c *http.Client) *http.Client {
	still := *c
	still.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &still
}

// untagged begins the version of an object of which a store tells no ETag, as gateways before folders do of files that did not
// come through them: its size and its time, in seconds, which each answer with bytes of it tells as well.
const untagged = "untagged-"

func untaggedVersion(size int64, modified time.Time) string {
	return fmt.Sprintf("%s%d-%d", untagged, size, modified.Unix())
}

// quoted is an ETag as a condition of a request.
func quoted(version string) string { return `"` + version + `"` }

// bare is an ETag without quotes, which some calls answer and others do not.
func bare(etag string) string { return strings.Trim(etag, `"`) }

// failure translates an error of a store. The library's own text stays behind: it may quote an address with a signature.
func (s *Store) failure(ctx context.Context, path string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	known := s.engine.refused(err)
	switch {
	case known != nil:
	case errors.Is(err, blob.ErrChanged), errors.Is(err, blob.ErrFailed):
		known = err
	default:
		known = blob.Unanswered(err)
	}
	return fmt.Errorf("%q: %w", path, known)
}

// answered is an answer with a status and a code that nothing better is known of.
func answered(status int, code string) error {
	if code != "" {
		code = " " + strings.Map(func(r rune) rune {
			if r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) {
				return -1
			}
			return r
		}, code[:min(len(code), 64)])
	}
	return fmt.Errorf("%w: it answers with status %d%s", blob.ErrFailed, status, code)
}

// within checks that an answer with bytes begins where it was asked to, by its header Content-Range, and returns how many bytes
// the whole object has; -1 when the answer is the whole object.
func within(contentRange string, offset int64) (size int64, err error) {
	if contentRange == "" && offset == 0 {
		return -1, nil
	}
	var first, last int64
	if n, _ := fmt.Sscanf(contentRange, "bytes %d-%d/%d", &first, &last, &size); n != 3 || first != offset {
		return 0, fmt.Errorf("%w: it answers with other bytes than those that were asked for", blob.ErrFailed)
	}
	return size, nil
}
