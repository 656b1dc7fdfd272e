package lake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"roster/internal/blob"
)

// Checked is the result of a check of a table's files.
type Checked struct {
	Files, Bytes int64
	// Unchecked is the number of files that had no checksums. Scrub creates their checksums.
	Unchecked int64
	Damaged   []error // one ErrDamaged for each damaged file
}

// scrubName is the file that records the progress of scrubs.
const scrubName = "scrub.json"

// Scrub checks the files that the table names, in the order of their paths. It continues after the last file of the
// previous scrub, and stops after most bytes or after all files. Files without checksums get them. Damage is reported
// in the result, not as an error.
func (d *Dataset) Scrub(ctx context.Context, most int64) (Checked, error) {
	paths, err := d.namedFiles(ctx)
	if err != nil {
		return Checked{}, err
	}
	var last string
	if text, err := blob.Get(ctx, d.store(), scrubName); err == nil {
		_ = json.Unmarshal(text, &last) // on error, the scrub begins with the first file
	}
	at, found := slices.BinarySearch(paths, path.Join(path.Dir(d.dir), last))
	if found {
		at++
	}
	var c Checked
	for range paths {
		if c.Bytes >= most {
			break
		}
		next := paths[at%len(paths)]
		if err := c.check(ctx, d.lake.files, next, true); err != nil {
			return c, err
		}
		last = strings.TrimPrefix(next, path.Dir(d.dir)+"/")
		at++
	}
	text, err := json.Marshal(last)
	if err != nil {
		return c, err
	}
	_, err = blob.Put(ctx, d.store(), scrubName, bytes.NewReader(text), nil, blob.CreateOptions{Volatile: true})
	return c, err
}

// Check reads all files that the table names, and the files with the given names that any run left beside the data.
// Check changes nothing.
func (d *Dataset) Check(ctx context.Context, names ...string) (c Checked, err error) {
	paths, err := d.namedFiles(ctx)
	if errors.Is(err, ErrDamaged) {
		c.Damaged = append(c.Damaged, err)
		return c, nil
	}
	for _, name := range names {
		beside, err := d.FilesBeside(name)
		if err != nil {
			return c, err
		}
		for _, location := range beside {
			path, err := d.lake.files.pathOf(location)
			if err != nil {
				return c, err
			}
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		if err := c.check(ctx, d.lake.files, path, false); err != nil {
			return c, err
		}
	}
	return c, err
}

// check reads a file. If mend is set, a file without checksums gets them.
func (c *Checked) check(ctx context.Context, in files, path string, mend bool) error {
	f, err := in.uncached().openSums(path)
	if err != nil {
		return c.note(opened(path, err))
	}
	defer f.Close()
	c.Files++
	s := newSummer()
	n, err := io.Copy(s, &contextReader{ctx, f})
	c.Bytes += n
	if err != nil {
		return c.note(err)
	}
	if f.sums != nil {
		if made := s.end(); made.whole != f.sums.whole {
			return c.note(damaged(path, errors.New("its content does not match its hash")))
		}
		return nil
	}
	c.Unchecked++
	if !mend {
		return nil
	}
	return writeSums(in.store, path, s.end())
}

// note records an ErrDamaged and returns any other error.
func (c *Checked) note(err error) error {
	if errors.Is(err, ErrDamaged) {
		c.Damaged = append(c.Damaged, err)
		return nil
	}
	return err
}

// namedFiles returns the sorted paths of the files that the table names and of the files beside the data that its
// snapshots keep. It leaves out files that another program has removed because only the history file names their
// snapshots.
func (d *Dataset) namedFiles(ctx context.Context) ([]string, error) {
	h, err := d.ReadHistory(ctx, nil)
	if err != nil {
		return nil, err
	}
	named, err := d.named(ctx, h)
	if err != nil {
		return nil, err
	}
	recent := func(id int64) bool { return d.table.SnapshotByID(id) != nil }
	inMetadata, inHistory := names{in: d.lake.files, paths: map[string]bool{}}, names{in: d.lake.files, paths: map[string]bool{}}
	h.addTo(&inMetadata, recent)
	h.addTo(&inHistory, func(id int64) bool { return !recent(id) })
	var paths []string
	for name := range named {
		if isPath(name) {
			// The list of earlier metadata files may contain removed ones.
			removable := isOldMetadata(name, d) || inHistory.paths[name] && !inMetadata.paths[name]
			if _, err := d.lake.files.store.Stat(ctx, name); err == nil || !removable {
				paths = append(paths, name)
			}
			continue
		}
		beside, err := d.beside(ctx, name)
		if err != nil {
			return nil, err
		}
		paths = append(paths, beside...)
	}
	slices.Sort(paths)
	return paths, nil
}

// isOldMetadata reports whether a path is the path of an earlier metadata file.
func isOldMetadata(path string, d *Dataset) bool {
	for old := range d.table.Metadata().PreviousFiles() {
		if p, err := d.lake.files.pathOf(old.MetadataFile); err == nil && p == path {
			return true
		}
	}
	return false
}
