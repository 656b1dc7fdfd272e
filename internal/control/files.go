package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"roster/internal/audience"
	"roster/internal/ingest"
	"roster/internal/meta"
	"roster/internal/source"
)

// files is an opened source store.
type files struct{ source.Store }

func (f files) close() {
	if c, ok := f.Store.(io.Closer); ok {
		c.Close()
	}
}

// open opens a connection's store, or the landing zone when conn is nil. Its errors are *audience.Error unless
// ctx was cancelled.
func (s *Service) open(ctx context.Context, scope audience.Scope, conn *audience.Connection) (files, error) {
	if conn != nil {
		whole, err := s.unsealed(*conn)
		if err != nil {
			return files{}, err
		}
		conn = &whole
	}
	src, err := s.cfg.Sources(ctx, scope, conn)
	if err == nil {
		return files{source.Bounded(src)}, nil
	}
	var coded *audience.Error
	if ctx.Err() != nil || errors.As(err, &coded) {
		return files{}, err
	}
	s.logOf(scope).Error("open a source", "connection", conn != nil, "error", err)
	if conn == nil {
		return files{}, audience.Errorf(audience.BadGateway, "the landing zone cannot be opened")
	}
	return files{}, audience.Errorf(audience.BadGateway, "connection %q cannot be opened; check its parameters", conn.Name)
}

// openAudience opens the store that an audience's files lie in. An *audience.Error means that it cannot be
// opened as things are; any other error is the metadata store's or ctx's.
func (s *Service) openAudience(ctx context.Context, a *audience.Audience) (files, error) {
	conn, err := connectionOf(ctx, s.cfg.Store, a)
	if errors.Is(err, meta.ErrNotFound) {
		return files{}, audience.Errorf(audience.Impossible, "base connection %.64q does not exist any more", a.Source.BaseConnectionID)
	}
	if err != nil {
		return files{}, err
	}
	if (conn == nil || conn.SpecID == audience.SpecLandingZone) && strings.HasPrefix(a.Source.Path+"/", correctedFolder+"/") {
		return files{}, audience.InvalidField("sourceSpec.path", "must not lead into %s, where corrected rows lie until they are read", correctedFolder)
	}
	return s.open(ctx, a.Scope, conn)
}

// errSeen ends a listing whose first object is enough.
var errSeen = errors.New("control: seen enough")

// exists looks whether the audience's path is there, without reading any object. A path that is not there is no error, since files may
// come later (contract, section 5): absent says so. The store itself must be there and let itself be listed. The errors are as
// openAudience's.
func exists(ctx context.Context, src source.Store, spec audience.SourceSpec) (absent string, err error) {
	if source.IsPattern(spec.Path) {
		err = source.ListPath(ctx, src, spec.Path, spec.Type == audience.PathFolder, func(source.Object) error { return errSeen })
		if err == nil {
			return fmt.Sprintf("no file matches %q yet", spec.Path), nil
		}
	} else if spec.Type == audience.PathFile {
		_, err = src.Stat(ctx, spec.Path)
	} else {
		err = src.List(ctx, spec.Path, func(source.Object) error { return errSeen })
	}
	wrong := pathError(ctx, src, err, spec.At("path"), spec.Type, spec.Path)
	if !errors.Is(err, source.ErrNotExist) {
		return "", wrong
	}
	if other, is := otherType(ctx, src, spec); is {
		return "", audience.InvalidField(spec.At("type"), "%q is a %s; say so, or correct the path", spec.Path, other)
	}
	if err := src.List(ctx, "", func(source.Object) error { return errSeen }); err != nil && !errors.Is(err, errSeen) {
		return "", pathError(ctx, src, err, spec.At("path"), audience.PathFolder, "/")
	}
	return audience.AsError(wrong).Message, nil
}

// otherType reports whether there is a folder where a file was named, or a file where a folder was.
func otherType(ctx context.Context, src source.Store, spec audience.SourceSpec) (audience.PathType, bool) {
	if spec.Type == audience.PathFile {
		err := src.List(ctx, spec.Path, func(source.Object) error { return errSeen })
		return audience.PathFolder, err == nil || errors.Is(err, errSeen)
	}
	_, err := src.Stat(ctx, spec.Path)
	return audience.PathFile, err == nil
}

// pathError says what is wrong with a path of a store that cannot be looked at, which stands in a field of a request; nil for
// nil and for errSeen.
func pathError(ctx context.Context, src source.Store, err error, field string, typ audience.PathType, path string) error {
	switch {
	case err == nil, errors.Is(err, errSeen):
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
	if refused := ingest.Refused(err); refused != nil {
		return refused
	}
	return audience.Errorf(audience.BadGateway, "%s: %q cannot be looked for in the source; check the connection", field, path)
}
