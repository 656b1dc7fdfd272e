package lake

import (
	"fmt"
	"net/url"
	"path"
	"strings"
)

// A location is "file://" and the path as it is: other engines do not unescape locations. Earlier versions of Roster
// escaped the path as a URI does, and their tables are read, too.

const locationScheme = "file:"

// locationOf returns the location of a path of the store, as the table's metadata records it.
func locationOf(p string) string { return locationScheme + "///" + p }

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
	p, err := PathOf(location, "/"+fs.root, fs.former)
	return strings.TrimPrefix(p, "/"), err
}
