package ingest

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"roster/internal/audience"
)

// diskTrouble describes the errors that an operator can fix.
var diskTrouble = map[syscall.Errno]string{
	syscall.ENOSPC: "there is no space left on the server's disk; make room there",
	syscall.EDQUOT: "the server's quota of the disk is used up; make room there",
	syscall.EROFS:  "the server's disk is read-only; make it writable again",
	syscall.EIO:    "the server's disk fails; see to it",
	syscall.EACCES: "the server may not use its own directory; give it the right to",
	syscall.EFBIG:  "the file is larger than the server's limits allow; raise them",
	syscall.EMFILE: "the server has too many open files; raise its limit",
}

// Reason returns the error that clients see. For an error of the disk, it contains the operation and the file in the
// data directory; for one of the lake's bucket, the kind of failure. Any other error without a code is hidden.
func (p *Pipeline) Reason(err error) *audience.Error {
	var coded *audience.Error
	if errors.As(err, &coded) {
		return coded
	}
	if trouble := p.Lake.Trouble(err); trouble != nil {
		return trouble
	}
	var at *fs.PathError
	var no syscall.Errno
	if !errors.As(err, &at) || !errors.As(at.Err, &no) || diskTrouble[no] == "" {
		return audience.AsError(err)
	}
	place := p.placeOf(at.Path)
	if place == "" {
		return audience.AsError(err)
	}
	return audience.Errorf(audience.BadGateway, "%s %s: %s, and start the run again", at.Op, place, diskTrouble[no])
}

// placeOf returns the path relative to the lake or to the scratch directory, or "" for other paths.
func (p *Pipeline) placeOf(path string) string {
	for _, root := range []struct{ name, dir string }{{"lake", p.Lake.Warehouse()}, {"scratch", p.Scratch}} {
		rel, err := filepath.Rel(root.dir, path)
		if root.dir != "" && err == nil && filepath.IsLocal(rel) {
			return strings.TrimSuffix(root.name+"/"+filepath.ToSlash(rel), "/.")
		}
	}
	return ""
}
