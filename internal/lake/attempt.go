package lake

import (
	"context"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"roster/internal/audience"
	"roster/internal/blob"
)

// CreateFile creates a file beside the data, in the attempt's directory, and returns its location. Closing it
// makes it durable.
func (d *Dataset) CreateFile(dir, name string) (io.WriteCloser, string, error) {
	f, err := d.lake.files.create(d.dir, path.Join("roster", dir, name))
	if err != nil {
		return nil, "", err
	}
	return f, f.location(), nil
}

// File is a file that is read.
type File interface {
	io.ReadSeekCloser
	io.ReaderAt
}

// OpenFile opens a file that CreateFile created; fs.ErrNotExist when it is gone. ErrDamaged, then or when it is read, when it is
// not what was written.
func (d *Dataset) OpenFile(location string) (File, error) {
	p, err := pathOf(location)
	if err != nil {
		return nil, err
	}
	f, err := d.lake.files.openSums(p)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// RemoveAttempts removes the directories of all attempts of a run except keep; "" keeps none. Where only is given,
// keep has nothing left but the files of these names that CreateFile created. The caller knows that no snapshot names
// what is removed.
func (d *Dataset) RemoveAttempts(ctx context.Context, run audience.RunID, keep string, only ...string) error {
	var errs []error
	for _, kind := range []string{"data", "roster"} {
		attempts, err := d.attempts(ctx, kind)
		if err != nil {
			errs = append(errs, err)
		}
		for _, name := range attempts {
			if err := ctx.Err(); err != nil {
				return errors.Join(append(errs, err)...)
			}
			dir := path.Join(kind, name)
			switch {
			case !strings.HasPrefix(name, string(run)+"-"), name == keep && len(only) == 0:
			case name == keep && kind == "roster":
				errs = append(errs, d.removeBut(ctx, dir, only))
			default:
				errs = append(errs, d.store().RemoveAll(ctx, dir))
			}
		}
	}
	return errors.Join(errs...)
}

// attempts lists the attempts that have a directory with data, or beside the data.
func (d *Dataset) attempts(ctx context.Context, kind string) (names []string, err error) {
	err = d.store().Browse(ctx, kind, func(o blob.Object, folder bool) error {
		if folder {
			names = append(names, path.Base(o.Path))
		}
		return nil
	})
	return names, unlessAbsent(err)
}

// unlessAbsent turns the error of listing an absent folder into nil: the folder has no files.
func unlessAbsent(err error) error {
	if errors.Is(err, blob.ErrNotExist) {
		return nil
	}
	return err
}

// beside lists the files that an attempt keeps beside the data, by their paths below the table's directory. Checksums are left out.
func (d *Dataset) beside(ctx context.Context, attempt string) (paths []string, err error) {
	err = d.store().List(ctx, path.Join("roster", attempt), func(o blob.Object) error {
		if path.Ext(o.Path) != sumsSuffix {
			paths = append(paths, o.Path)
		}
		return nil
	})
	return paths, unlessAbsent(err)
}

// RemoveDir removes the directories of an attempt. The caller knows that no snapshot names their files.
func (d *Dataset) RemoveDir(dir string) error {
	ctx := context.Background()
	return errors.Join(d.store().RemoveAll(ctx, path.Join("data", dir)), d.store().RemoveAll(ctx, path.Join("roster", dir)))
}

// removeBut removes the files of a directory, except those of the names, and the directory when nothing is left.
func (d *Dataset) removeBut(ctx context.Context, dir string, names []string) error {
	var doomed []string
	kept := 0
	err := d.store().List(ctx, dir, func(o blob.Object) error {
		if slices.Contains(names, strings.TrimSuffix(path.Base(o.Path), sumsSuffix)) {
			kept++
		} else {
			doomed = append(doomed, o.Path)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if kept == 0 {
		return d.store().RemoveAll(ctx, dir)
	}
	return d.store().Remove(ctx, doomed...)
}
