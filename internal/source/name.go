package source

import (
	"io/fs"
	"strings"

	"roster/internal/audience"
)

// PassedOver says why a run passes over an object of a folder by the names in its path: those of NoData, and what else lies
// beside data (audience.Incidental); "" when it does not.
func PassedOver(path string) string {
	if reason := NoData(path); reason != "" {
		return reason
	}
	return audience.Incidental(path)
}

// NoData says why no data is ever at a path: hidden files, markers, temporary and checksum files, and names that a bucket
// can have but that are no paths; "" when there may be.
func NoData(path string) string {
	if !fs.ValidPath(path) {
		return "a name that is no path: a part of it is empty, . or .., or is not UTF-8"
	}
	for part := range strings.SplitSeq(path, "/") {
		if strings.HasPrefix(part, ".") || strings.HasPrefix(part, "_") {
			return "a hidden file or a marker, by a name that begins with . or _"
		}
	}
	for _, suffix := range []string{"~", ".tmp", ".part", ".filepart", ".crc"} {
		if strings.HasSuffix(strings.ToLower(path), suffix) {
			return "a temporary or checksum file, by a name that ends in " + suffix
		}
	}
	return ""
}
