package audience

import (
	"fmt"
	"strings"
	"unicode"
)

// maxPath is the longest path in bytes; object stores take no longer keys.
const maxPath = 1024

// LandingPath drops the name of the landing zone's container from the beginning of a path in it.
func LandingPath(path string) string {
	if path == LandingContainer {
		return ""
	}
	return strings.TrimPrefix(path, LandingContainer+"/")
}

// CheckPath says what keeps a path from being one below the root of its store, "" when nothing does: it is
// relative, with forward slashes, and each of its parts names something inside of the one before it.
func CheckPath(path string) string {
	switch {
	case len(path) > maxPath:
		return fmt.Sprintf("has %d bytes; at most %d are allowed", len(path), maxPath)
	case strings.HasPrefix(path, "/"):
		return "must be relative to the root of the connection, without a slash at the beginning"
	case strings.Contains(path, `\`):
		return "must not hold a backslash; folders are separated by /"
	case strings.IndexFunc(path, unicode.IsControl) >= 0 || strings.ContainsRune(path, unicode.ReplacementChar):
		return "must not hold control characters or broken text"
	}
	for part := range strings.SplitSeq(path, "/") {
		switch {
		case part == "":
			return "must not hold an empty folder name"
		case part == "." || part == "..":
			return fmt.Sprintf("must not hold %q; it may not leave the root of its connection", part)
		}
	}
	return ""
}
