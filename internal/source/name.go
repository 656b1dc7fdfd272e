package source

import (
	"io/fs"
	"strings"

	"roster/internal/audience"
)

// PassedOver returns the reason why a run skips an object of a folder because of the names in its path: the reasons of
// NoData, and files that accompany data (audience.Incidental). It returns "" if the run reads the object.
func PassedOver(path string) string {
	if reason := NoData(path); reason != "" {
		return reason
	}
	return audience.Incidental(path)
}

// NoData returns the reason why there is never data at a path: hidden files, markers, temporary and checksum files, and
// names in buckets that are not paths. It returns "" if there may be data.
func NoData(path string) string {
	if !fs.ValidPath(path) {
		return "a name that is not a path: a part of it is empty, . or .., or is not UTF-8"
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
