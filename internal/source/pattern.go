package source

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"roster/internal/blob"
)

// IsPattern reports whether a path contains a wildcard: * matches any text in a name, ? any character of a name, and **
// any text across folders.
func IsPattern(path string) bool { return strings.ContainsAny(path, "*?") }

// Base returns the folder of all matches of a pattern; any other path is its own base.
func Base(path string) string {
	if !IsPattern(path) {
		return path
	}
	fixed := path[:strings.IndexAny(path, "*?")]
	return fixed[:max(strings.LastIndexByte(fixed, '/'), 0)]
}

// ListPath lists what a path names, as ListAll does: a folder, or the matches of a pattern. folders means that a
// matching folder stands for its contents. An object whose name equals the pattern takes precedence over matches. A
// pattern without matches lists nothing.
func ListPath(ctx context.Context, s Store, path string, folders bool, fn func(Object) error) error {
	if !IsPattern(path) {
		return ListAll(ctx, s, path, fn)
	}
	switch o, err := s.Stat(ctx, path); {
	case err == nil:
		return blob.Stopped(fn(o))
	case !errors.Is(err, ErrNotExist):
		return err
	}
	if folders {
		if err := ListAll(ctx, s, path, fn); !errors.Is(err, ErrNotExist) {
			return err
		}
	}
	matches := matcher(path, folders)
	err := ListAll(ctx, s, Base(path), func(o Object) error {
		if !matches.MatchString(o.Path) {
			return nil
		}
		return fn(o)
	})
	if errors.Is(err, ErrNotExist) {
		return nil
	}
	return err
}

// matcher returns the expression for the paths that a pattern matches.
func matcher(pattern string, folders bool) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for rest := pattern; rest != ""; {
		switch {
		case strings.HasPrefix(rest, "**/"):
			b.WriteString(`(?:.*/)?`)
			rest = rest[3:]
		case strings.HasPrefix(rest, "**"):
			b.WriteString(`.*`)
			rest = rest[2:]
		case rest[0] == '*':
			b.WriteString(`[^/]*`)
			rest = rest[1:]
		case rest[0] == '?':
			b.WriteString(`[^/]`)
			rest = rest[1:]
		default:
			end := strings.IndexAny(rest, "*?")
			if end < 0 {
				end = len(rest)
			}
			b.WriteString(regexp.QuoteMeta(rest[:end]))
			rest = rest[end:]
		}
	}
	if folders {
		b.WriteString(`(?:/.*)?`)
	}
	b.WriteString(`\z`)
	return regexp.MustCompile(b.String())
}
