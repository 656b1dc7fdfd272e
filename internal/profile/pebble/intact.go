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

// intact looks for damage that Pebble does not tell of: it takes an unreadable record of its manifest for the end of it, and
// makes a database anew beside files whose manifest is gone. A crash of the machine may cut the manifest off, too; that counts
// as damage.
func intact(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return nil // absent
	}
	marker, name, err := atomicfs.LocateMarkerInListing(fs, dir, "manifest", names)
	if err != nil {
		return fmt.Errorf("%w: which manifest is the current one cannot be read: %v", profile.ErrDamaged, err)
	}
	if err := marker.Close(); err != nil {
		return err
	}
	if name == "" {
		for _, n := range names {
			if strings.HasSuffix(n, ".sst") || strings.HasSuffix(n, ".log") {
				return fmt.Errorf("%w: its manifest is gone, and %s is there", profile.ErrDamaged, n)
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

// systemError is what the operating system, or another process, keeps from being opened.
type systemError struct{ error }

func (e *systemError) Unwrap() error { return e.error }

// recovered turns a panic into damage: Pebble has panics for what it does not expect in its files.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", profile.ErrDamaged, p)
	}
}

// closeDamaged closes a damaged database once nobody uses it.
func (s *engine) closeDamaged() (err error) {
	s.users.Lock()
	defer s.users.Unlock()
	defer recovered(&err)
	return s.Close()
}
