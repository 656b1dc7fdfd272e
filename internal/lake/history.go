package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/iceberg-go/table"
)

// OpenHistory opens, as OpenState does, all rows of all data files that any snapshot of the table names, deleted or
// not: what is there to be read by whoever has the files. A row has as many rows there as files hold it.
func (d *Dataset) OpenHistory(ctx context.Context, opts StateOptions) (*State, error) {
	all := &State{opts: opts}
	seen := map[string]bool{}
	for _, snap := range d.Snapshots() {
		then, err := d.At(snap.ID)
		if err != nil {
			return nil, err
		}
		s, _, err := then.openFiles(ctx, opts)
		if err != nil {
			return nil, err
		}
		for i, f := range s.data {
			if !seen[f.Path] {
				seen[f.Path] = true
				all.data, all.files = append(all.data, f), append(all.files, s.files[i])
			}
		}
	}
	return all, nil
}

// Replaced returns the files that only snapshots before the current one name, as paths below the table's directory:
// manifests, data and position deletes, and what their runs keep beside the data, except files of the names keep.
func (d *Dataset) Replaced(ctx context.Context, keep ...string) ([]string, error) {
	now := d.table.CurrentSnapshot()
	if now == nil {
		return nil, nil
	}
	live, all := names{paths: map[string]bool{}}, names{paths: map[string]bool{}}
	for _, s := range d.table.Metadata().Snapshots() {
		n := &all
		if s.SnapshotID == now.SnapshotID {
			n = &live
		}
		if err := d.addSnapshots(ctx, n, []table.Snapshot{s}); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(live.err, all.err); err != nil {
		return nil, err
	}
	var paths []string
	for path := range all.paths {
		switch {
		case live.paths[path]:
		case filepath.IsAbs(path):
			rel, err := filepath.Rel(d.dir, path)
			if err != nil {
				return nil, err
			}
			paths = append(paths, rel)
		default: // the directory of an attempt
			beside, err := os.ReadDir(filepath.Join(d.dir, "roster", path))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			for _, e := range beside {
				if !strings.HasSuffix(e.Name(), sumsSuffix) && !slices.Contains(keep, e.Name()) {
					paths = append(paths, filepath.Join("roster", path, e.Name()))
				}
			}
		}
	}
	slices.Sort(paths)
	return paths, nil
}

// RemoveReplaced removes those of the files that Replaced returned which no snapshot names any more. What
// reads one of them at the moment fails.
func (d *Dataset) RemoveReplaced(ctx context.Context, paths []string) error {
	named, err := d.named(ctx)
	if err != nil {
		return err
	}
	for _, rel := range paths {
		path := filepath.Join(d.dir, rel)
		if err := ctx.Err(); err != nil {
			return err
		}
		if !filepath.IsLocal(rel) || named[path] || strings.HasPrefix(rel, "roster"+string(filepath.Separator)) && named[filepath.Base(filepath.Dir(rel))] {
			continue
		}
		if err := remove(path); err != nil {
			return fmt.Errorf("remove a file that no snapshot names: %w", err)
		}
		_ = os.Remove(filepath.Dir(path)) // fails while it has files
	}
	return nil
}

// FilesBeside returns the locations of the files of a name that runs keep beside the data, whether a snapshot keeps
// them or not.
func (d *Dataset) FilesBeside(name string) ([]string, error) {
	attempts, err := os.ReadDir(filepath.Join(d.dir, "roster"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var locations []string
	for _, e := range attempts {
		path := filepath.Join(d.dir, "roster", e.Name(), name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			locations = append(locations, fileURI(path))
		}
	}
	return locations, nil
}

// RemoveFile removes a file that CreateFile created; one that is gone already is no error.
func (d *Dataset) RemoveFile(location string) error {
	path, err := filePath(location)
	if err != nil {
		return err
	}
	return remove(path)
}
