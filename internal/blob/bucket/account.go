package bucket

import (
	"context"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"

	"roster/internal/blob"
)

// allBuckets are all buckets of an account as if they were folders of one: the first part of a key names the bucket.
type allBuckets struct {
	engine // of no bucket: what it says of errors goes for all
	names  func(ctx context.Context) ([]string, error)
	in     func(bucket string) engine
}

// bucketName is what the names of buckets and containers look like. Whatever else a library may take for one, such as the name of
// an access point, leads elsewhere than to the account.
var bucketName = regexp.MustCompile(`^[A-Za-z0-9$][A-Za-z0-9._-]{0,221}$`)

// bucket is the bucket that a key leads into, and the key in it.
func (a allBuckets) bucket(key string) (bucket engine, rest string, err error) {
	name, rest, _ := strings.Cut(key, "/")
	if !bucketName.MatchString(name) {
		return nil, "", blob.ErrNoBucket
	}
	return a.in(name), rest, nil
}

// object is bucket, of a key that leads to an object.
func (a allBuckets) object(key string) (engine, string, error) {
	bucket, rest, err := a.bucket(key)
	if err == nil && rest == "" {
		err = blob.ErrNotExist
	}
	return bucket, rest, err
}

func (a allBuckets) list(ctx context.Context, prefix string, deep bool, fn func(string, blob.Object) error) error {
	if prefix != "" {
		return a.listIn(ctx, prefix, deep, fn)
	}
	names, err := a.names(ctx)
	if err != nil {
		return err
	}
	for i := range names {
		names[i] += "/" // as they are sorted among keys
	}
	slices.Sort(names)
	for _, name := range names {
		switch {
		case !bucketName.MatchString(strings.TrimSuffix(name, "/")):
		case deep:
			err = a.listIn(ctx, name, deep, fn)
		default:
			err = fn(name, blob.Object{})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// listIn lists what is in one bucket. The bucket itself is there even if nothing is in it.
func (a allBuckets) listIn(ctx context.Context, prefix string, deep bool, fn func(string, blob.Object) error) error {
	bucket, rest, err := a.bucket(prefix)
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(prefix, rest)
	if err := bucket.list(ctx, rest, deep, func(key string, o blob.Object) error { return fn(name+key, o) }); err != nil || rest != "" {
		return err
	}
	return fn(name, blob.Object{})
}

func (a allBuckets) stat(ctx context.Context, key string) (blob.Object, error) {
	bucket, rest, err := a.object(key)
	if err != nil {
		return blob.Object{}, err
	}
	return bucket.stat(ctx, rest)
}

func (a allBuckets) read(ctx context.Context, key, version string, offset int64, part []byte) (int, error) {
	bucket, rest, err := a.object(key)
	if err != nil {
		return 0, err
	}
	return bucket.read(ctx, rest, version, offset, part)
}

func (a allBuckets) put(ctx context.Context, key string, content io.Reader, absent bool) error {
	bucket, rest, err := a.object(key)
	if err != nil {
		return err
	}
	return bucket.put(ctx, rest, content, absent)
}

func (a allBuckets) remove(ctx context.Context, key string) error {
	bucket, rest, err := a.object(key)
	if err != nil {
		return err
	}
	return bucket.remove(ctx, rest)
}

func (a allBuckets) refused(err error) error {
	if errors.Is(err, blob.ErrNoBucket) || errors.Is(err, blob.ErrNotExist) {
		return err
	}
	return a.engine.refused(err)
}
