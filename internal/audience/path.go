package audience

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// maxPath is the longest path in bytes, the limit of keys in object stores.
const maxPath = 1024

// LandingPath removes the name of the landing zone's container from the beginning of a path in it.
func LandingPath(path string) string {
	if path == LandingContainer {
		return ""
	}
	return strings.TrimPrefix(path, LandingContainer+"/")
}

// RelativePath removes a slash at the beginning of a path, which AEP's clients write; "." is the root of the store,
// too.
func RelativePath(path string) string {
	if path == "." {
		return ""
	}
	return strings.TrimPrefix(path, "/")
}

// CheckPath returns the reason why a path is not valid below the root of its store, "" if it is valid: relative, with
// forward slashes, and each of its parts names something inside the one before.
func CheckPath(path string) string {
	switch {
	case len(path) > maxPath:
		return fmt.Sprintf("has %d bytes; at most %d are allowed", len(path), maxPath)
	case strings.HasPrefix(path, "/"):
		return "must be relative to the root of the connection, with no more than one slash at the beginning"
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

// Incidental returns the reason, from its name, why a file beside data is not data itself; "" if it may be data. Runs
// of folders and of zip files skip such files.
func Incidental(path string) string {
	path = strings.ToLower(path)
	name := path[strings.LastIndexByte(path, '/')+1:]
	ends := func(suffix string) bool { return strings.HasSuffix(name, suffix) }
	switch {
	case slices.ContainsFunc([]string{"~", ".tmp", ".part", ".filepart", ".crdownload"}, ends):
		return "a temporary file, by the end of its name"
	case slices.ContainsFunc([]string{".crc", ".md5", ".md5sum", ".sha1", ".sha1sum", ".sha256", ".sha256sum", ".sha512", ".sha512sum", ".checksum", ".sfv", ".sig"}, ends),
		slices.Contains([]string{"md5sums", "sha1sums", "sha256sums", "sha512sums", "checksums", "md5sums.txt", "sha256sums.txt", "checksums.txt"}, name):
		return "a file of checksums or a signature, by its name"
	case strings.HasPrefix(name, "~$"), strings.HasPrefix(name, ".~lock."):
		return "a file that an office program keeps while a document is open, by its name"
	case slices.Contains([]string{"thumbs.db", "ehthumbs.db", "desktop.ini", ".ds_store"}, name), strings.HasPrefix(name, "._"),
		strings.HasPrefix(path, "__macosx/"), strings.Contains(path, "/__macosx/"):
		return "a file that a desktop system leaves in folders, by its name"
	case slices.Contains([]string{"manifest", "manifest.json", "manifest.txt", "manifest.xml"}, name),
		slices.ContainsFunc([]string{".manifest", "_manifest", "_manifest.json", "-manifest.json", ".manifest.json"}, ends):
		return "a manifest of other files, by its name"
	case slices.Contains([]string{"readme", "readme.txt", "readme.md"}, name):
		return "a file for people to read, by its name"
	}
	return ""
}
