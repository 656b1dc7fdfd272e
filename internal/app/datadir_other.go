//go:build !linux

package app

import "os"

// allocate takes room on the disk for a file, which only Linux can do without writing.
func allocate(*os.File, int64) error { return nil }
