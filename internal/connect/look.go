package connect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"roster/internal/audience"
	"roster/internal/source"
)

// LookWithin is how long a look at a store may take.
const LookWithin = 20 * time.Second

// Exists looks whether the audience's path is there, without reading any object. A path that is not there is no error,
// since files may come later (contract, section 5): absent says so. The store itself must be there and let itself be
// listed. The errors are as OpenAudience's.
func Exists(ctx context.Context, src source.Store, spec audience.SourceSpec) (absent string, err error) {
	if source.IsPattern(spec.Path) {
		found := false
		err = source.ListPath(ctx, src, spec.Path, spec.Type == audience.PathFolder, func(source.Object) error {
			found = true
			return fs.SkipAll
		})
		if err == nil && !found {
			return fmt.Sprintf("no file matches %q yet", spec.Path), nil
		}
	} else if spec.Type == audience.PathFile {
		_, err = src.Stat(ctx, spec.Path)
	} else {
		err = src.List(ctx, spec.Path, func(source.Object) error { return fs.SkipAll })
	}
	wrong := PathError(ctx, src, err, "sourceSpec.path", spec.Type, spec.Path)
	if !errors.Is(err, source.ErrNotExist) {
		return "", wrong
	}
	if other, is := otherType(ctx, src, spec); is {
		return "", audience.InvalidField("sourceSpec.type", "%q is a %s; say so, or correct the path", spec.Path, other)
	}
	if err := src.List(ctx, "", func(source.Object) error { return fs.SkipAll }); err != nil {
		return "", PathError(ctx, src, err, "sourceSpec.path", audience.PathFolder, "/")
	}
	return audience.AsError(wrong).Message, nil
}

// otherType reports whether there is a folder where a file was named, or a file where a folder was.
func otherType(ctx context.Context, src source.Store, spec audience.SourceSpec) (audience.PathType, bool) {
	if spec.Type == audience.PathFile {
		err := src.List(ctx, spec.Path, func(source.Object) error { return fs.SkipAll })
		return audience.PathFolder, err == nil
	}
	_, err := src.Stat(ctx, spec.Path)
	return audience.PathFile, err == nil
}

// PathError says what is wrong with a path of a store that cannot be looked at, which stands in a field of a request;
// nil for nil.
func PathError(ctx context.Context, src source.Store, err error, field string, typ audience.PathType, path string) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return err
	case errors.Is(err, source.ErrNotExist):
		return audience.InvalidField(field, "%s %q does not exist in the source; upload it or correct the path%s", typ, path, source.Nearest(ctx, src, path, typ == audience.PathFolder))
	case errors.Is(err, source.ErrOutside):
		return audience.InvalidField(field, "%q lies outside the root of its connection or behind a symbolic link", path)
	case errors.Is(err, source.ErrPermission) && typ == audience.PathFolder:
		return audience.InvalidField(field, "the folder %q cannot be listed: permission denied; give the connection the right to list, or name a file, which needs only the right to read", path)
	case errors.Is(err, source.ErrPermission):
		return audience.InvalidField(field, "%q cannot be read: permission denied; check the connection's rights", path)
	}
	if refused := source.Refused(err); refused != nil {
		return refused
	}
	return audience.Errorf(audience.BadGateway, "%s: %q cannot be looked for in the source; check the connection", field, path)
}
