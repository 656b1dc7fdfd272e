package source

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"roster/internal/blob"
)

// IsPattern reports whether a path has a character of patterns: * is any text in a name, ? is any character of one, and ** any text
// across folders.
func IsPattern(path string) bool { return strings.ContainsAny(path, "*?") }

// Base is the folder that all matches of a pattern lie in; any other path is its own base.
func Base(path string) string {
	if !IsPattern(path) {
		return path
	}
	fixed := path[:strings.IndexAny(path, "*?")]
	return fixed[:max(strings.LastIndexByte(fixed, '/'), 0)]
}

// ListPath lists, as ListAll does, what a path names: a folder, or what matches a pattern. folders says that a folder that
// matches stands for what is in it. What is called like the pattern itself goes before matches. A pattern that nothing matches
// lists nothing.
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

// matcher matches the paths that a pattern means.
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
