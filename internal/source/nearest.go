package source

import (
	"context"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// nearestLook and nearestWithin limit the search for similar paths.
	nearestLook   = 10_000
	nearestWithin = 5 * time.Second
	maxNearest    = 3
)

// Nearest returns text for the end of an error message about an absent file or folder: up to three paths that differ
// from the wanted one in case, or in the endings of their names. It reads at most 10,000 objects, beginning with the
// folder of the path. It returns "" if there are none, or if the store cannot be listed.
func Nearest(ctx context.Context, s Store, wanted string, folder bool) string {
	ctx, cancel := context.WithTimeout(ctx, nearestWithin)
	defer cancel()
	n := nearest{wanted: strings.ToLower(wanted), depth: strings.Count(wanted, "/") + 1, folder: folder}
	if in := path.Dir(wanted); in != "." {
		n.look(ctx, s, in)
	}
	if len(n.sameBut) == 0 && len(n.endings) == 0 {
		n.look(ctx, s, "")
	}
	found := append(n.sameBut, n.endings...)
	if len(found) == 0 {
		return ""
	}
	quoted := make([]string, min(len(found), maxNearest))
	for i := range quoted {
		quoted[i] = strconv.Quote(found[i])
	}
	return "; the nearest there is " + strings.Join(quoted, ", ")
}

// nearest collects similar paths.
type nearest struct {
	wanted  string // in lower case
	depth   int    // number of names in it
	folder  bool
	sameBut []string // that differ in case
	endings []string // that differ in the ending
}

func (n *nearest) look(ctx context.Context, s Store, folder string) {
	seen := 0
	_ = s.List(ctx, folder, func(o Object) error {
		n.consider(o.Path)
		if seen++; seen == nearestLook || len(n.sameBut) == maxNearest {
			return fs.SkipAll
		}
		return nil
	})
}

// consider compares the path of an object, or of its folder.
func (n *nearest) consider(name string) {
	parts := strings.Split(name, "/")
	if n.folder && len(parts) <= n.depth || !n.folder && len(parts) != n.depth {
		return
	}
	name = strings.Join(parts[:n.depth], "/")
	lower := strings.ToLower(name)
	switch {
	case slices.Contains(n.sameBut, name):
	case lower == n.wanted:
		n.sameBut = append(n.sameBut, name)
	case !n.folder && len(n.endings) < maxNearest && (strings.HasPrefix(lower, n.wanted+".") || strings.HasPrefix(n.wanted, lower+".") || stem(lower) == stem(n.wanted)):
		n.endings = append(n.endings, name)
	}
}

// stem returns a path up to the first dot of its last name.
func stem(p string) string {
	dir, name := path.Split(p)
	name, _, _ = strings.Cut(name, ".")
	return dir + name
}
