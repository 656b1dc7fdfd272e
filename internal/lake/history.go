package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/apache/iceberg-go"
	icebergio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"golang.org/x/sync/errgroup"

	"roster/internal/audience"
	"roster/internal/blob"
)

// History is what the snapshots of a table name, including those of the history file. Snapshots share most of their
// manifests, and each manifest is read once.
type History struct {
	d         *Dataset
	mu        sync.Mutex
	lists     map[string][]string         // paths of the manifests, by manifest list
	manifests map[string][]string         // paths of the files, by manifest
	data      map[string]iceberg.DataFile // data files, by path
	missing   map[string]bool             // paths of files that another program has removed
}

// ReadHistory reads the history of the table. Files that another program has removed, because only the history file names
// their snapshots, are missing in the result. A history that was read before, or nil, tells what need not be read again.
func (d *Dataset) ReadHistory(ctx context.Context, before *History) (*History, error) {
	d, err := d.WithHistory(ctx)
	if err != nil {
		return nil, err
	}
	h := &History{d: d, lists: map[string][]string{}, manifests: map[string][]string{}, data: map[string]iceberg.DataFile{}, missing: map[string]bool{}}
	if before != nil {
		h.lists, h.manifests, h.data, h.missing = before.lists, before.manifests, before.data, before.missing
	}
	fsys, err := d.table.FS(ctx)
	if err != nil {
		return nil, err
	}
	type pendingManifest struct {
		iceberg.ManifestFile
		snapshot int64 // the newest that names it
	}
	pending := map[string]pendingManifest{}
	err = each(ctx, d.snapshots(), func(s table.Snapshot) error {
		if h.knows(s.ManifestList) {
			return nil
		}
		manifests, err := s.Manifests(fsys)
		if d.lost(s.SnapshotID, err) {
			h.miss(s.ManifestList)
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the manifests of snapshot %d: %w", s.SnapshotID, unreadable(ctx.Err(), s.ManifestList, err))
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		paths := []string{}
		for _, m := range manifests {
			paths = append(paths, m.FilePath())
			if _, ok := h.manifests[m.FilePath()]; !ok && (pending[m.FilePath()].ManifestFile == nil || d.table.SnapshotByID(s.SnapshotID) != nil) {
				pending[m.FilePath()] = pendingManifest{m, s.SnapshotID}
			}
		}
		h.lists[s.ManifestList] = paths
		return nil
	})
	if err != nil {
		return nil, err
	}
	return h, each(ctx, slices.Collect(maps.Values(pending)), func(m pendingManifest) error { return h.read(ctx, fsys, m, m.snapshot) })
}

func (h *History) knows(list string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.lists[list]
	return ok
}

func (h *History) miss(location string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.missing[location] = true
}

// read reads a manifest of a snapshot.
func (h *History) read(ctx context.Context, fsys icebergio.IO, m iceberg.ManifestFile, snapshot int64) error {
	paths, data := []string{}, []iceberg.DataFile{}
	for e, err := range m.Entries(fsys, true) {
		if h.d.lost(snapshot, err) {
			h.miss(m.FilePath())
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the manifest %s: %w", m.FilePath(), unreadable(ctx.Err(), m.FilePath(), err))
		}
		df := e.DataFile()
		paths = append(paths, df.FilePath())
		switch {
		case df.ContentType() != iceberg.EntryContentData:
		case h.d.lost(snapshot, h.d.lake.files.exists(ctx, df.FilePath())):
			h.miss(df.FilePath())
		default:
			data = append(data, df)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.manifests[m.FilePath()] = paths
	for _, df := range data {
		h.data[df.FilePath()] = df
	}
	return nil
}

// each calls fn with each element, on all processors. The first error ends the calls.
func each[T any](parent context.Context, list []T, fn func(T) error) error {
	g, ctx := errgroup.WithContext(parent)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, one := range list {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() (err error) {
			defer recovered(&err)
			return fn(one)
		})
	}
	return errors.Join(g.Wait(), parent.Err())
}

// Dataset returns the dataset of the history, with the snapshots of its history file.
func (h *History) Dataset() *Dataset { return h.d }

// State opens, like OpenState, all rows of all data files that a snapshot names. Deleted rows are included: these are
// the rows that a person with access to the files can read. A row that several files contain appears several times.
func (h *History) State(opts StateOptions) (*State, error) {
	all := &State{opts: opts, in: h.d.lake.files}
	for _, location := range slices.Sorted(maps.Keys(h.data)) {
		f, err := h.d.newStateFile(h.data[location], opts)
		if err != nil {
			return nil, err
		}
		all.data, all.files = append(all.data, f), append(all.files, f.DataFile)
	}
	return all, nil
}

// Incomplete reports whether another program has removed the history file or files of snapshots that only the history
// file names.
func (h *History) Incomplete() bool {
	return len(h.missing) > 0 || h.d.table.Properties()[propHistory] != "" && len(h.d.older) == 0
}

// Naming returns the snapshots other than the current one that name one of the files or a missing one, oldest first.
func (h *History) Naming(files map[string]bool) (naming []Snapshot) {
	wanted := func(p string) bool { return files[p] || h.missing[p] }
	holds := map[string]bool{}
	for manifest, paths := range h.manifests {
		holds[manifest] = slices.ContainsFunc(paths, wanted)
	}
	for _, s := range h.d.snapshots() {
		if s.SnapshotID != h.d.snap.SnapshotID && (h.missing[s.ManifestList] || slices.ContainsFunc(h.lists[s.ManifestList], func(m string) bool { return holds[m] || h.missing[m] })) {
			naming = append(naming, snapshotOf(&s))
		}
	}
	return naming
}

// VersionsOf returns the versions that are lost with snapshots. See Dataset.Versions.
func (h *History) VersionsOf(snapshots []Snapshot) (lost []Snapshot) {
	gone, still := map[int64]bool{}, map[audience.RunID]bool{}
	for _, s := range snapshots {
		gone[s.ID] = true
	}
	for _, s := range h.d.Snapshots() {
		if !gone[s.ID] {
			still[s.Version] = true
		}
	}
	for _, v := range h.d.Versions() {
		if !still[v.Version] {
			lost = append(lost, v)
		}
	}
	return lost
}

// Refs returns the names of the branches and tags that hold one of the snapshots.
func (h *History) Refs(snapshots []Snapshot) (names []string) {
	for name, ref := range h.d.table.Metadata().Refs() {
		if slices.ContainsFunc(snapshots, func(s Snapshot) bool { return s.ID == ref.SnapshotID }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// OnlyOf returns the files that only the given snapshots name, as paths below the table's directory. They are manifest
// lists, manifests, data files, position deletes, and the files that the runs of these snapshots keep beside the data.
// Files with a name in keep are left out.
func (h *History) OnlyOf(ctx context.Context, snapshots []Snapshot, keep ...string) ([]string, error) {
	gone := map[int64]bool{}
	for _, s := range snapshots {
		gone[s.ID] = true
	}
	live, others := names{in: h.d.lake.files, paths: map[string]bool{}}, names{in: h.d.lake.files, paths: map[string]bool{}}
	h.addTo(&live, func(id int64) bool { return !gone[id] })
	h.addTo(&others, func(id int64) bool { return gone[id] })
	if err := errors.Join(live.err, others.err); err != nil {
		return nil, err
	}
	var paths []string
	for name := range others.paths {
		switch {
		case live.paths[name]:
		case isPath(name):
			rel, ok := strings.CutPrefix(name, h.d.dir+"/")
			if !ok {
				return nil, fmt.Errorf("lake: the file %s of table %s.%s does not lie in the table's directory", name, h.d.id.Namespace, h.d.id.Name)
			}
			paths = append(paths, rel)
		default: // the directory of an attempt
			beside, err := h.d.beside(ctx, name)
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

// addTo collects the paths of the files that snapshots name, and the attempts' directories that they keep.
func (h *History) addTo(n *names, want func(snapshot int64) bool) {
	seen := map[string]bool{}
	for _, s := range h.d.snapshots() {
		if !want(s.SnapshotID) {
			continue
		}
		n.add(s.ManifestList)
		n.addDir(&s)
		for _, m := range h.lists[s.ManifestList] {
			if seen[m] {
				continue
			}
			seen[m] = true
			n.add(m)
			for _, f := range h.manifests[m] {
				n.add(f)
			}
		}
	}
}

// RemoveUnnamed removes files that OnlyOf returned, except those that a snapshot still names. A read of such a file that
// is in progress fails. For before, see ReadHistory.
func (d *Dataset) RemoveUnnamed(ctx context.Context, paths []string, before *History) error {
	named, err := d.named(ctx, before)
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
	found := map[string]bool{}
	for _, place := range d.places() {
		attempts, err := attempts(ctx, d.lake.files.store.Below(place), besideFolder)
		if err != nil {
			return nil, err
		}
		for _, attempt := range attempts {
			p := path.Join(place, besideFolder, attempt, name)
			_, err := d.lake.files.store.Stat(ctx, p)
			switch {
			case err == nil && !found[attempt]:
				locations, found[attempt] = append(locations, d.lake.files.locationOf(p)), true
			case err == nil: // the attempt was moved in between
			case !errors.Is(err, blob.ErrNotExist):
				return nil, err
			}
		}
	}
	return locations, nil
}

// RemoveFile removes a file that CreateFile created, wherever it was moved. A missing file is not an error.
func (d *Dataset) RemoveFile(location string) error {
	p, err := d.lake.files.pathOf(location)
	if err != nil {
		return err
	}
	for _, place := range d.places() {
		if rel, ok := strings.CutPrefix(p, place+"/"); ok {
			ctx := context.Background()
			return errors.Join(d.store().Remove(ctx, rel, rel+sumsSuffix), d.outside().Remove(ctx, rel, rel+sumsSuffix))
		}
	}
	return fmt.Errorf("lake: the file %s does not belong to table %s.%s", p, d.id.Namespace, d.id.Name)
}
