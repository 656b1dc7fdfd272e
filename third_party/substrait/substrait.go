// Package substrait has the definitions of functions that iceberg-go's filters use; README.md says why there are no more.
package substrait

import "embed"

//go:embed extensions
var extensions embed.FS

// GetSubstraitExtensionsFS returns the definitions, in the folder "extensions".
func GetSubstraitExtensionsFS() embed.FS { return extensions }
