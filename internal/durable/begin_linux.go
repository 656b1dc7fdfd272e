package durable

import (
	"os"

	"golang.org/x/sys/unix"
)

// beginSync has the kernel begin to write a part of a file to the disk. Whether it did is known when the file is synced.
func beginSync(f *os.File, offset, size int64) {
	_ = unix.SyncFileRange(int(f.Fd()), offset, size, unix.SYNC_FILE_RANGE_WRITE)
}
