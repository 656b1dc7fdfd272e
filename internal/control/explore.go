package control

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"roster/internal/audience"
	"roster/internal/connect"
	"roster/internal/source"
	"roster/internal/survey"
)

const (
	// maxEntries is the largest number of listed entries of a folder.
	maxEntries = 1000
	// maxBrowsed is the largest number of entries that are read, since stores return them in any order.
	maxBrowsed = 10 * maxEntries
	// previewRows is the number of rows of a file that are read.
	previewRows = 100
)

// Entry is a file or folder in a folder of a store.
type Entry struct {
	Path   string // below the root of the connection
	Folder bool
	Usable bool // a folder, or a file that runs do not skip
}

// ExploredFile describes a file of a store.
type ExploredFile struct {
	Fields []audience.Field // with inferred types
	Rows   [][]*string      // the first rows, as texts, a value for each field; nil for null
	Format *audience.Format // the format of the file
}

// TestConnection checks that the store of a connection can be opened and listed.
func (s *Service) TestConnection(ctx context.Context, a audience.Actor, id audience.ConnectionID) (audience.Connection, error) {
	conn, err := s.Connection(ctx, a, id)
	if err != nil {
		return conn, err
	}
	err = s.explore(ctx, a.Scope, &conn, func(ctx context.Context, src connect.Files) error {
		err := src.Browse(ctx, "", func(source.Object, bool) error { return fs.SkipAll })
		return connect.PathError(ctx, src, err, "auth.params", audience.PathFolder, "")
	})
	return conn, err
}

// ExploreFolder lists the content of a folder of a connection, or of the landing zone if id is "": at most 1,000
// entries in the order of their paths. "" is the root.
func (s *Service) ExploreFolder(ctx context.Context, a audience.Actor, id audience.ConnectionID, folder string) (entries []Entry, err error) {
	conn, err := s.explored(ctx, a, id)
	if err != nil {
		return nil, err
	}
	if folder, err = exploredPath(conn, folder); err != nil {
		return nil, err
	}
	err = s.explore(ctx, a.Scope, conn, func(ctx context.Context, src connect.Files) error {
		below := "" // the name of the folder itself hides nothing
		if base := source.Base(folder); base != "" {
			below = base + "/"
		}
		err := browse(ctx, src, folder, func(o source.Object, deeper bool) error {
			entries = append(entries, Entry{Path: o.Path, Folder: deeper, Usable: deeper || o.Size > 0 && source.PassedOver(strings.TrimPrefix(o.Path, below)) == ""})
			if len(entries) == maxBrowsed {
				return fs.SkipAll
			}
			return nil
		})
		return connect.PathError(ctx, src, err, "object", audience.PathFolder, folder)
	})
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	return entries[:min(len(entries), maxEntries)], err
}

// browse lists the direct entries of a folder, or the files that match a pattern.
func browse(ctx context.Context, src connect.Files, folder string, fn func(source.Object, bool) error) error {
	if source.IsPattern(folder) {
		return source.ListPath(ctx, src.Store, folder, false, source.WithoutLinks(func(o source.Object) error { return fn(o, false) }))
	}
	return src.Browse(ctx, folder, fn)
}

// ExploreFile describes a file of a connection, or of the landing zone if id is "": its columns, its format, and with
// preview its first rows. If file is a pattern, it describes the first match. typ is the type of the file, "" to detect
// it.
func (s *Service) ExploreFile(ctx context.Context, a audience.Actor, id audience.ConnectionID, file string, typ audience.FileType, preview bool) (found ExploredFile, err error) {
	conn, err := s.explored(ctx, a, id)
	if err != nil {
		return found, err
	}
	if file, err = exploredPath(conn, file); err != nil {
		return found, err
	}
	err = s.explore(ctx, a.Scope, conn, func(ctx context.Context, src connect.Files) error {
		if !source.IsPattern(file) {
			_, err := src.Stat(ctx, file)
			if err := connect.PathError(ctx, src, err, "object", audience.PathFile, file); err != nil {
				return err
			}
		}
		looked, err := s.look(ctx, a.Scope, survey.Request{
			Source: src.Store, Spec: audience.SourceSpec{Path: file, Type: audience.PathFile, Format: &audience.Format{Type: typ}}, Rows: previewRows, Preview: preview,
			Keys: s.cfg.Sources.EveryKey(a.Scope),
		})
		if err == nil && len(looked.Files) == 0 {
			err = audience.InvalidField("object", "no file matches %q", file)
		}
		if err == nil && looked.Files[0].Error != "" {
			err = audience.InvalidField("object", "%s", looked.Files[0].Error)
		}
		if err == nil {
			found = ExploredFile{Fields: looked.Fields, Rows: looked.Preview, Format: looked.Files[0].Format}
		}
		return err
	})
	return found, err
}

// explored returns the connection to explore, nil for the landing zone. Files are raw data, so only clients that may
// create audiences of them may explore them.
func (s *Service) explored(ctx context.Context, a audience.Actor, id audience.ConnectionID) (*audience.Connection, error) {
	if err := allow(a, toWrite); err != nil {
		return nil, err
	}
	if id == "" {
		return nil, nil
	}
	conn, err := s.Connection(ctx, a, id)
	return &conn, err
}

// exploredPath checks a path in the store of a connection. In a landing zone it may begin with the container.
func exploredPath(conn *audience.Connection, path string) (string, error) {
	path = audience.RelativePath(path)
	if conn == nil || conn.SpecID == audience.SpecLandingZone {
		path = audience.LandingPath(path)
	}
	if path = strings.TrimSuffix(path, "/"); path == "" {
		return "", nil
	}
	if problem := audience.CheckPath(path); problem != "" {
		return "", audience.InvalidField("object", "%s", problem)
	}
	return path, nil
}

// explore opens the store of a connection, or the landing zone, for an exploration with a time limit.
func (s *Service) explore(ctx context.Context, scope audience.Scope, conn *audience.Connection, look func(context.Context, connect.Files) error) error {
	admitted, err := s.requests.admit(scope, limitedLooks, s.cfg.Limits.Looks)
	if err != nil {
		return err
	}
	defer admitted()
	within, done := context.WithTimeout(ctx, connect.LookWithin)
	defer done()
	src, err := s.cfg.Sources.Open(within, scope, conn)
	if err == nil {
		err = look(within, src)
		src.Close()
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return audience.Errorf(audience.BadGateway, "the source did not answer within %s; check the connection", connect.LookWithin)
	}
	return err
}
