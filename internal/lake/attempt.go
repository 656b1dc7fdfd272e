package lake

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"roster/internal/audience"
	"roster/internal/fault"
)

// CreateFile creates a file beside the data, in the attempt's directory, and returns its location. Closing it
// makes it durable.
func (d *Dataset) CreateFile(dir, name string) (io.WriteCloser, string, error) {
	path := filepath.Join(d.dir, "roster", dir, name)
	f, err := createDurable(path)
	if err != nil {
		return nil, "", err
	}
	return f, fileURI(path), nil
}

// File is a file that is read.
type File interface {
	io.ReadSeekCloser
	io.ReaderAt
}

// OpenFile opens a file that CreateFile created; fs.ErrNotExist when it is gone. ErrDamaged, then or when it is read, when it is
// not what was written.
func (d *Dataset) OpenFile(location string) (File, error) {
	path, err := filePath(location)
	if err != nil {
		return nil, err
	}
	if err := fault.At("lake.open"); err != nil {
		return nil, err
	}
	f, err := openSums(path)
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
		entries, err := os.ReadDir(filepath.Join(d.dir, kind))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return errors.Join(append(errs, err)...)
			}
			dir := filepath.Join(d.dir, kind, e.Name())
			switch {
			case !strings.HasPrefix(e.Name(), string(run)+"-"), e.Name() == keep && len(only) == 0:
			case e.Name() == keep && kind == "roster":
				errs = append(errs, removeBut(dir, only))
			default:
				errs = append(errs, removeDurable(dir))
			}
		}
	}
	return errors.Join(errs...)
}

// RemoveDir removes the directories of an attempt. The caller knows that no snapshot names their files.
func (d *Dataset) RemoveDir(dir string) error {
	return errors.Join(removeDurable(filepath.Join(d.dir, "data", dir)), removeDurable(filepath.Join(d.dir, "roster", dir)))
}

// removeBut removes the files of a directory, except those of the names, and the directory when nothing is left.
func removeBut(dir string, names []string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	kept := 0
	var errs []error
	for _, e := range entries {
		if slices.Contains(names, strings.TrimSuffix(e.Name(), sumsSuffix)) {
			kept++
			continue
		}
		errs = append(errs, remove(filepath.Join(dir, e.Name())))
	}
	if kept == 0 {
		return errors.Join(append(errs, removeDurable(dir))...)
	}
	return errors.Join(append(errs, syncDir(dir))...)
}
