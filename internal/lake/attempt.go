package lake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"roster/internal/audience"
	"roster/internal/blob"
)

// besideFolder contains the files that runs keep beside the data. The folder lies in filesDir, because other engines
// remove orphan files: files in the table's own directory that its metadata does not name. Earlier versions of Roster
// kept the folder in the table's directory, from where maintenance moves the files (MoveBeside). Snapshots and runs name
// the earlier locations, so both places are read.
const besideFolder = "roster"

// outside is the part of the store below filesDir.
func (d *Dataset) outside() blob.Store { return d.lake.files.store.Below(filesDir(d.dir)) }

// places returns the directories that may contain a besideFolder. Files move from the first to the second one, so whoever
// looks into them in this order misses none.
func (d *Dataset) places() []string { return []string{d.dir, filesDir(d.dir)} }

// CreateFile creates a file beside the data, in the attempt's directory, and returns the location of the file. Close
// makes the file durable.
func (d *Dataset) CreateFile(dir, name string) (io.WriteCloser, string, error) {
	f, err := d.lake.files.create(filesDir(d.dir), path.Join(besideFolder, dir, name))
	if err != nil {
		return nil, "", err
	}
	return f, f.location(), nil
}

// File is a file that is open for reading.
type File interface {
	io.ReadSeekCloser
	io.ReaderAt
}

// OpenFile opens a file that CreateFile created. The error is fs.ErrNotExist if the file is gone. OpenFile, or a later
// read, returns ErrDamaged if the content is not what was written.
func (d *Dataset) OpenFile(location string) (File, error) {
	p, err := d.lake.files.pathOf(location)
	if err != nil {
		return nil, err
	}
	f, err := d.lake.files.openSums(p)
	if rel, ok := strings.CutPrefix(p, d.dir+"/"); ok && errors.Is(err, fs.ErrNotExist) { // the file was moved
		f, err = d.lake.files.openSums(path.Join(filesDir(d.dir), rel))
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// folderMover is a store that moves a folder in one step. The error is blob.ErrNotExist if there is no folder to move.
type folderMover interface {
	MoveFolder(ctx context.Context, from, to string) error
}

// MoveBeside moves the files that earlier versions of Roster kept beside the data in the table's directory to filesDir,
// each attempt in one step. The result is the number of attempts. MoveBeside is safe while the files are read or removed,
// and can be interrupted at any point.
func (d *Dataset) MoveBeside(ctx context.Context) (moved int, err error) {
	names, err := attempts(ctx, d.store(), besideFolder)
	m, ok := d.lake.files.store.(folderMover)
	if err != nil || !ok {
		return 0, err
	}
	for _, name := range names {
		rel := path.Join(besideFolder, name)
		err := m.MoveFolder(ctx, path.Join(d.dir, rel), path.Join(filesDir(d.dir), rel))
		if errors.Is(err, blob.ErrNotExist) { // another process was first
			continue
		}
		if err != nil {
			return moved, fmt.Errorf("move %s out of the directory of table %s.%s: %w", rel, d.id.Namespace, d.id.Name, err)
		}
		moved++
	}
	return moved, nil
}

// RemoveAttempts removes the directories of all attempts of a run except keep. If keep is "", all attempts are removed.
// If only is given, the attempt keep loses its data files, too, and keeps only the files with these names that
// CreateFile created. The caller must know that no snapshot names the removed files.
func (d *Dataset) RemoveAttempts(ctx context.Context, run audience.RunID, keep string, only ...string) error {
	errs := []error{removeAttempts(ctx, d.store(), "data", run, keep, only)}
	for _, place := range d.places() {
		errs = append(errs, removeAttempts(ctx, d.lake.files.store.Below(place), besideFolder, run, keep, only))
	}
	return errors.Join(errs...)
}

// removeAttempts removes the directories of a run's attempts in one folder. See RemoveAttempts.
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

// attempts lists the attempts that have a directory in the folder.
func attempts(ctx context.Context, store blob.Store, folder string) (names []string, err error) {
	err = store.Browse(ctx, folder, func(o blob.Object, folder bool) error {
		if folder {
			names = append(names, path.Base(o.Path))
		}
		return nil
	})
	return names, unlessAbsent(err)
}

// unlessAbsent returns nil for the error of listing an absent folder, which has no files.
func unlessAbsent(err error) error {
	if errors.Is(err, blob.ErrNotExist) {
		return nil
	}
	return err
}

// beside lists the paths of the files that an attempt keeps beside the data, without the files of checksums.
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

// RemoveDir removes the directories of an attempt. The caller must know that no snapshot names their files.
func (d *Dataset) RemoveDir(ctx context.Context, dir string) error {
	return errors.Join(d.store().RemoveAll(ctx, path.Join("data", dir)), d.removeBeside(ctx, path.Join(besideFolder, dir)))
}

// removeBeside removes the file or folder at a path below filesDir and below the table's directory.
func (d *Dataset) removeBeside(ctx context.Context, p string) error {
	return errors.Join(d.store().RemoveAll(ctx, p), d.outside().RemoveAll(ctx, p))
}

// removeBut removes the files of a directory except those with the given names. If none of these exists, the directory
// is removed, too.
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
