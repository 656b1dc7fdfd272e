package lake

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/apache/iceberg-go"
)

// A location is the base of the store and the path as it is: other engines do not unescape locations. On the local disk
// earlier versions of Roster escaped the path as a URI does, and their tables are read, too.

const (
	locationScheme = "file:"
	localBase      = locationScheme + "//" // the base of a store that is the local disk
)

// local reports whether the files lie on the local disk.
func (fs files) local() bool { return fs.base == localBase }

// locationOf returns the location of a path of the store, as the table's metadata records it.
func (fs files) locationOf(p string) string { return fs.base + "/" + p }

// schemes are other names that engines give to a scheme of locations.
var schemes = strings.NewReplacer("s3a://", "s3://", "s3n://", "s3://", "abfs://", "abfss://")

// PathOf returns the absolute path of a file location. A location below one of the given directories is not escaped.
// Any other location is one of an earlier version of Roster, and is unescaped.
func PathOf(location string, dirs ...string) (string, error) {
	p, ok := strings.CutPrefix(location, locationScheme)
	if rest, authority := strings.CutPrefix(p, "//"); authority {
		_, p, _ = strings.Cut(rest, "/")
		p = "/" + p
	}
	if !ok || !strings.HasPrefix(p, "/") {
		return "", fmt.Errorf("lake: %q is not a file location", location)
	}
	p = path.Clean(p)
	for _, dir := range dirs {
		if strings.HasPrefix(p, path.Clean(dir)+"/") {
			return p, nil
		}
	}
	if unescaped, err := url.PathUnescape(p); err == nil {
		return path.Clean(unescaped), nil
	}
	return p, nil
}

// pathOf returns the path of a location in the store.
func (fs files) pathOf(location string) (string, error) {
	if !fs.local() {
		scheme, rest, _ := strings.Cut(location, "://")
		p, ok := strings.CutPrefix(schemes.Replace(scheme+"://")+rest, fs.base+"/")
		if !ok {
			return "", fmt.Errorf("lake: %q does not lie in %s", location, fs.base)
		}
		return p, nil
	}
	p, err := PathOf(location, "/"+fs.root, fs.former)
	return strings.TrimPrefix(p, "/"), err
}

// escaped reports whether a location is one that an earlier version of Roster escaped.
func (fs files) escaped(location string) bool {
	p, err := fs.pathOf(location)
	return err == nil && !strings.HasSuffix(location, "/"+p)
}

// Escaped reports whether the snapshot has data files whose locations an earlier version of Roster escaped, so other
// engines do not find them. Escaped reads the manifests only if the path of the table needs escapes.
func (d *Dataset) Escaped(ctx context.Context) (bool, error) {
	if !d.lake.files.local() || (&url.URL{Path: d.dir}).EscapedPath() == d.dir {
		return false, nil
	}
	data, _, err := d.liveFiles(ctx)
	return slices.ContainsFunc(data, func(f iceberg.DataFile) bool { return d.lake.files.escaped(f.FilePath()) }), err
}

// Escaped reports whether an earlier version of Roster escaped the location of the i-th file of Files.
func (s *State) Escaped(i int) bool { return s.in.escaped(s.data[i].Path) }
