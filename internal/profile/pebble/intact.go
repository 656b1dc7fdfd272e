package pebble

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"

	"roster/internal/profile"
)

// intact detects damage that Pebble does not report: Pebble treats an unreadable record of its manifest as the end of
// the manifest, and creates a new database beside files whose manifest is missing. A crash of the machine may truncate
// the manifest, too; this counts as damage.
func intact(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return nil // absent
	}
	marker, name, err := atomicfs.LocateMarkerInListing(fs, dir, "manifest", names)
	if err != nil {
		return fmt.Errorf("%w: cannot determine the current manifest: %v", profile.ErrDamaged, err)
	}
	if err := marker.Close(); err != nil {
		return err
	}
	if name == "" {
		for _, n := range names {
			if strings.HasSuffix(n, ".sst") || strings.HasSuffix(n, ".log") {
				return fmt.Errorf("%w: its manifest is missing, but %s exists", profile.ErrDamaged, n)
			}
		}
		return nil
	}
	f, err := fs.Open(fs.PathJoin(dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	for r := record.NewReader(f, 0); ; {
		rec, err := r.Next()
		if err == nil {
			_, err = io.Copy(io.Discard, rec)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %s: %v", profile.ErrDamaged, name, err)
		}
	}
}

// systemError says that the operating system, or another process, prevents opening the store.
type systemError struct{ error }

func (e *systemError) Unwrap() error { return e.error }

// recovered turns a panic into ErrDamaged, because Pebble panics on unexpected content of its files.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", profile.ErrDamaged, p)
	}
}

// closeDamaged closes a damaged database after its last use.
func (s *engine) closeDamaged() (err error) {
	s.users.Lock()
	defer s.users.Unlock()
	defer recovered(&err)
	return s.Close()
}
