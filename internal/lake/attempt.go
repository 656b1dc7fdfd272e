package lake

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
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

// OpenFile opens a file that CreateFile created.
func (d *Dataset) OpenFile(location string) (io.ReadSeekCloser, error) {
	path, err := filePath(location)
	if err != nil {
		return nil, err
	}
	if err := fault.At("lake.open"); err != nil {
		return nil, err
	}
	return os.Open(path)
}

// RemoveAttempts removes the directories of all attempts of a run except keep; "" keeps none. The caller knows
// that no snapshot names their files.
func (d *Dataset) RemoveAttempts(ctx context.Context, run audience.RunID, keep string) error {
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
			if strings.HasPrefix(e.Name(), string(run)+"-") && e.Name() != keep {
				errs = append(errs, removeDurable(filepath.Join(d.dir, kind, e.Name())))
			}
		}
	}
	return errors.Join(errs...)
}

// RemoveDir removes the directories of an attempt. The caller knows that no snapshot names their files.
func (d *Dataset) RemoveDir(dir string) error {
	return errors.Join(removeDurable(filepath.Join(d.dir, "data", dir)), removeDurable(filepath.Join(d.dir, "roster", dir)))
}
