package lake

import (
	"fmt"
	"strings"

	"roster/internal/audience"
)

// TableOf returns the name of an audience's table. Letters, digits and - of the organization and the sandbox are kept.
// Every other byte becomes _ and two hexadecimal digits. Two underscores separate the parts. The escaped parts never
// contain two underscores, so different scopes have different names.
func TableOf(scope audience.Scope, id audience.ID) TableID {
	return TableID{Namespace: escape(scope.Org) + "__" + escape(scope.Sandbox), Name: string(id)}
}

func escape(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return b.String()
}
