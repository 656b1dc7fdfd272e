package bucket

import (
	"context"
	"io"
	"strings"

	"gocloud.dev/blob"

	"roster/internal/source"
)

// cloud is an engine by the library that speaks to several clouds.
type cloud struct {
	*blob.Bucket
	driver
}

// driver is how the clouds differ.
type driver interface {
	// listed returns the version of a listed object.
	listed(o *blob.ListObject) string
	// version returns the version of an object.
	version(a *blob.Attributes) string
	// pin makes a request for bytes fail when the object has another version.
	pin(as func(any) bool, version string)
	// same reports whether the bytes of an answer are of the version, as far as the answer says.
	same(as func(any) bool, version string) bool
	refused(err error) error
}

func (c cloud) list(ctx context.Context, prefix string, fn func(string, source.Object) error) error {
	for it := c.List(&blob.ListOptions{Prefix: prefix}); ; {
		o, err := it.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = fn(o.Key, source.Object{Size: o.Size, Modified: o.ModTime, Version: c.listed(o)})
		}
		if err != nil {
			return err
		}
	}
}

func (c cloud) stat(ctx context.Context, key string) (source.Object, error) {
	a, err := c.Attributes(ctx, key)
	if err != nil {
		return source.Object{}, err
	}
	return source.Object{Size: a.Size, Modified: a.ModTime, Version: c.version(a)}, nil
}

func (c cloud) read(ctx context.Context, key, version string, offset int64, part []byte) (int, error) {
	bare := strings.HasPrefix(version, untagged)
	r, err := c.NewRangeReader(ctx, key, offset, int64(len(part)), &blob.ReaderOptions{BeforeRead: func(as func(any) bool) error {
		if !bare {
			c.pin(as, version)
		}
		return nil
	}})
	if err != nil {
		return 0, err
	}
	defer r.Close()
	if bare && version != untaggedVersion(r.Size(), r.ModTime()) || !c.same(r.As, version) {
		return 0, source.ErrChanged
	}
	return io.ReadFull(r, part)
}

func (c cloud) put(ctx context.Context, key string, content io.Reader) error {
	return c.Upload(ctx, key, content, &blob.WriterOptions{ContentType: contentType})
}

func (c cloud) remove(ctx context.Context, key string) error { return c.Delete(ctx, key) }

// contentType is that of all objects that Roster puts.
const contentType = "application/octet-stream"
