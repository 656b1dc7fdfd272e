package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/apache/iceberg-go"
	icebergio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"

	"roster/internal/blob"
)

// OpenHistory opens, like OpenState, all rows of all data files that any snapshot of the table names. Deleted rows are
// included: these are the rows that a person with access to the files can read. A row that several files contain
// appears several times.
func (d *Dataset) OpenHistory(ctx context.Context, opts StateOptions) (*State, error) {
	d, err := d.WithHistory(ctx)
	if err != nil {
		return nil, err
	}
	all := &State{opts: opts, in: d.lake.files}
	found, err := d.historyFiles(ctx)
	if err != nil {
		return nil, err
	}
	for _, df := range found {
		f, err := d.newStateFile(df, opts)
		if err != nil {
			return nil, err
		}
		all.data, all.files = append(all.data, f), append(all.files, f.DataFile)
	}
	return all, nil
}

// historyFiles returns the data files that any snapshot names, each once. Snapshots share most of their manifests.
func (d *Dataset) historyFiles(ctx context.Context) (found []iceberg.DataFile, err error) {
	fsys, err := d.table.FS(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, snap := range d.snapshots() {
		files, err := d.dataFilesOf(ctx, fsys, &snap, seen)
		if err != nil && !d.lost(snap.SnapshotID, err) {
			return nil, err
		}
		found = append(found, files...)
	}
	return found, nil
}

// dataFilesOf returns the data files of a snapshot that are not yet in seen, with their manifests and their paths. Files
// that another program has removed, because only the history file names the snapshot, are left out.
func (d *Dataset) dataFilesOf(ctx context.Context, fsys icebergio.IO, snap *table.Snapshot, seen map[string]bool) (found []iceberg.DataFile, err error) {
	manifests, err := snap.Manifests(fsys)
	if err != nil {
		return nil, fmt.Errorf("read the manifests of snapshot %d: %w", snap.SnapshotID, unreadable(ctx.Err(), snap.ManifestList, err))
	}
	for _, m := range manifests {
		if seen[m.FilePath()] || m.ManifestContent() != iceberg.ManifestContentData {
			continue
		}
		entire := true
		for e, err := range m.Entries(fsys, true) {
			if err != nil {
				return found, fmt.Errorf("read the manifest %s: %w", m.FilePath(), unreadable(ctx.Err(), m.FilePath(), err))
			}
			df := e.DataFile()
			if seen[df.FilePath()] {
				continue
			}
			if d.lost(snap.SnapshotID, d.lake.files.exists(ctx, df.FilePath())) {
				entire = false
				continue
			}
			seen[df.FilePath()] = true
			found = append(found, df)
		}
		seen[m.FilePath()] = entire
	}
	return found, nil
}

// Replaced returns the files that only earlier snapshots name, and not the current one, as paths below the table's
// directory. They are manifests, data files, position deletes, and the files that the runs of these snapshots keep
// beside the data. Files with a name in keep are left out.
func (d *Dataset) Replaced(ctx context.Context, keep ...string) ([]string, error) {
	now := d.table.CurrentSnapshot()
	if now == nil {
		return nil, nil
	}
	d, err := d.WithHistory(ctx)
	if err != nil {
		return nil, err
	}
	live, all := names{in: d.lake.files, paths: map[string]bool{}}, names{in: d.lake.files, paths: map[string]bool{}}
	var others []table.Snapshot
	for _, s := range d.snapshots() {
		if s.SnapshotID != now.SnapshotID {
			others = append(others, s)
		}
	}
	if err := errors.Join(d.addSnapshots(ctx, &live, []table.Snapshot{*now}), d.addSnapshots(ctx, &all, others)); err != nil {
		return nil, err
	}
	if err := errors.Join(live.err, all.err); err != nil {
		return nil, err
	}
	var paths []string
	for name := range all.paths {
		switch {
		case live.paths[name]:
		case isPath(name):
			rel, ok := strings.CutPrefix(name, d.dir+"/")
			if !ok {
				return nil, fmt.Errorf("lake: the file %s of table %s.%s does not lie in the table's directory", name, d.id.Namespace, d.id.Name)
			}
			paths = append(paths, rel)
		default: // the directory of an attempt
			beside, err := d.beside(ctx, name)
			if err != nil {
				return nil, err
			}
			for _, p := range beside {
				if !slices.Contains(keep, path.Base(p)) {
					paths = append(paths, path.Join(besideFolder, name, path.Base(p)))
				}
			}
		}
	}
	slices.Sort(paths)
	return paths, nil
}

// RemoveReplaced removes files that Replaced returned, except those that a snapshot still names. A read of such a file
// that is in progress fails.
func (d *Dataset) RemoveReplaced(ctx context.Context, paths []string) error {
	named, err := d.named(ctx)
	if err != nil {
		return err
	}
	var doomed []string
	for _, rel := range paths {
		if !fs.ValidPath(rel) || named[path.Join(d.dir, rel)] || strings.HasPrefix(rel, besideFolder+"/") && named[path.Base(path.Dir(rel))] {
			continue
		}
		doomed = append(doomed, rel, rel+sumsSuffix)
		if err := d.removeCopies(ctx, path.Join(d.dir, rel)); err != nil {
			return err
		}
	}
	if err := errors.Join(d.store().Remove(ctx, doomed...), d.outside().Remove(ctx, doomed...)); err != nil {
		return fmt.Errorf("remove files that no snapshot names: %w", err)
	}
	return nil
}

// FilesBeside returns the locations of all files with the name that runs keep beside the data, even if no snapshot
// keeps them.
func (d *Dataset) FilesBeside(name string) ([]string, error) {
	ctx := context.Background()
	var locations []string
	for _, place := range d.places() {
		attempts, err := attempts(ctx, d.lake.files.store.Below(place), besideFolder)
		if err != nil {
			return nil, err
		}
		for _, attempt := range attempts {
			p := path.Join(place, besideFolder, attempt, name)
			_, err := d.lake.files.store.Stat(ctx, p)
			switch {
			case err == nil:
				locations = append(locations, locationOf(p))
			case !errors.Is(err, blob.ErrNotExist):
				return nil, err
			}
		}
	}
	return locations, nil
}

// RemoveFile removes a file that CreateFile created. A missing file is not an error.
func (d *Dataset) RemoveFile(location string) error {
	p, err := d.lake.files.pathOf(location)
	if err != nil {
		return err
	}
	for _, place := range d.places() {
		if rel, ok := strings.CutPrefix(p, place+"/"); ok {
			return d.lake.files.store.Below(place).Remove(context.Background(), rel, rel+sumsSuffix)
		}
	}
	return fmt.Errorf("lake: the file %s does not belong to table %s.%s", p, d.id.Namespace, d.id.Name)
}
