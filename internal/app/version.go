package app

import (
	"cmp"
	"runtime/debug"
)

// The linker sets these in releases: -ldflags "-X roster/internal/app.version=v1.2.3".
var version, commit, date string

// Version is the version of this build: the release's, or the module's version that the build recorded, or
// "development".
func Version() string {
	recorded := ""
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "(devel)" {
		recorded = info.Main.Version
	}
	return cmp.Or(version, recorded, "development")
}

// Revision is the commit of this build and the commit's date in RFC 3339: those of the release, or those that the build
// recorded, or "unknown". A commit of a work tree with changes ends in "+changes".
func Revision() (madeOf, at string) {
	recorded := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			recorded[s.Key] = s.Value
		}
	}
	tree := recorded["vcs.revision"]
	if tree != "" && recorded["vcs.modified"] == "true" {
		tree += "+changes"
	}
	return cmp.Or(commit, tree, "unknown"), cmp.Or(date, recorded["vcs.time"], "unknown")
}
