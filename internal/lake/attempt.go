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

// besideFolder has what runs keep beside the data. It lies in filesDir: engines that remove the orphan files of a table remove what lies in the
// table's own directory and is not named by its metadata. Earlier versions of Roster kept it there, and it is still looked for there.
const besideFolder = "roster"

// outside has what is below filesDir.
func (d *Dataset) outside() blob.Store { return d.lake.files.store.Below(filesDir(d.dir)) }

// places are the directories that have a besideFolder.
func (d *Dataset) places() []string { return []string{filesDir(d.dir), d.dir} }

// CreateFile creates a file beside the data, in the attempt's directory, and returns its location. Closing it
// makes it durable.
func (d *Dataset) CreateFile(dir, name string) (io.WriteCloser, string, error) {
	f, err := d.lake.files.create(filesDir(d.dir), path.Join(besideFolder, dir, name))
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
	errs := []error{removeAttempts(ctx, d.store(), "data", run, keep, only)}
	for _, place := range d.places() {
		errs = append(errs, removeAttempts(ctx, d.lake.files.store.Below(place), besideFolder, run, keep, only))
	}
	return errors.Join(errs...)
}

// removeAttempts removes the directories of a run's attempts in a folder, as RemoveAttempts does.
func removeAttempts(ctx context.Context, store blob.Store, folder string, run audience.RunID, keep string, only []string) error {
	attempts, err := attempts(ctx, store, folder)
	errs := []error{err}
	for _, name := range attempts {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, err)...)
		}
		dir := path.Join(folder, name)
		switch {
		case !strings.HasPrefix(name, string(run)+"-"), name == keep && len(only) == 0:
		case name == keep && folder == besideFolder:
			errs = append(errs, removeBut(ctx, store, dir, only))
		default:
			errs = append(errs, store.RemoveAll(ctx, dir))
		}
	}
	return errors.Join(errs...)
}

// attempts lists the attempts that have a directory in a folder.
func attempts(ctx context.Context, store blob.Store, folder string) (names []string, err error) {
	err = store.Browse(ctx, folder, func(o blob.Object, folder bool) error {
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

// beside lists the paths of the files that an attempt keeps beside the data. Checksums are left out.
func (d *Dataset) beside(ctx context.Context, attempt string) (paths []string, err error) {
	for _, place := range d.places() {
		err := d.lake.files.store.Below(place).List(ctx, path.Join(besideFolder, attempt), func(o blob.Object) error {
			if path.Ext(o.Path) != sumsSuffix {
				paths = append(paths, path.Join(place, o.Path))
			}
			return nil
		})
		if err := unlessAbsent(err); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// RemoveDir removes the directories of an attempt. The caller knows that no snapshot names their files.
func (d *Dataset) RemoveDir(dir string) error {
	ctx := context.Background()
	return errors.Join(d.store().RemoveAll(ctx, path.Join("data", dir)), d.removeBeside(ctx, path.Join(besideFolder, dir)))
}

// removeBeside removes what is at a path in a besideFolder.
func (d *Dataset) removeBeside(ctx context.Context, p string) error {
	return errors.Join(d.outside().RemoveAll(ctx, p), d.store().RemoveAll(ctx, p))
}

// removeBut removes the files of a directory, except those of the names, and the directory when nothing is left.
func removeBut(ctx context.Context, store blob.Store, dir string, names []string) error {
	var doomed []string
	kept := 0
	err := store.List(ctx, dir, func(o blob.Object) error {
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
		return store.RemoveAll(ctx, dir)
	}
	return store.Remove(ctx, doomed...)
}
