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

// Checked is what a look at the files of a table found.
type Checked struct {
	Files, Bytes int64
	// Unchecked are the files that had no checksums. A scrub has made them.
	Unchecked int64
	Damaged   []error // ErrDamaged, each about another file
}

// scrubName is the file that remembers how far a scrub has come.
const scrubName = "scrub.json"

// Scrub reads files that the table names, in their order, from where the last scrub ended, until it has read so many bytes or all
// of them once. Files without checksums get them. What it finds is no error of its own.
func (d *Dataset) Scrub(ctx context.Context, most int64) (Checked, error) {
	paths, err := d.namedFiles(ctx)
	if err != nil {
		return Checked{}, err
	}
	var last string
	if text, err := blob.Get(ctx, d.store(), scrubName); err == nil {
		_ = json.Unmarshal(text, &last) // from the beginning when it is not whole
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

// Check reads all files that the table names, and those of the names that any run left beside the data. It changes nothing.
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
			path, err := pathOf(location)
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

// check reads a file; with mend one without checksums gets them.
func (c *Checked) check(ctx context.Context, in files, path string, mend bool) error {
	f, err := in.openSums(path)
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

// note keeps damage, and returns any other error.
func (c *Checked) note(err error) error {
	if errors.Is(err, ErrDamaged) {
		c.Damaged = append(c.Damaged, err)
		return nil
	}
	return err
}

// namedFiles returns the paths of the files that the table names, and of those beside the data that its snapshots keep, in order.
func (d *Dataset) namedFiles(ctx context.Context) ([]string, error) {
	named, err := d.named(ctx)
	if err != nil {
		return nil, err
	}
	var paths []string
	for name := range named {
		if isPath(name) {
			if _, err := d.lake.files.store.Stat(ctx, name); err == nil || !isOldMetadata(name, d) { // the table's own history may outlive its files
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

// isOldMetadata reports whether a path is that of a former metadata file.
func isOldMetadata(path string, d *Dataset) bool {
	for old := range d.table.Metadata().PreviousFiles() {
		if p, err := pathOf(old.MetadataFile); err == nil && p == path {
			return true
		}
	}
	return false
}
