package source

import "strings"

// PassedOver says why a run passes over an object of a folder by the names in its path (hidden files, markers,
// temporary and checksum files); "" when it does not.
func PassedOver(path string) string {
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
