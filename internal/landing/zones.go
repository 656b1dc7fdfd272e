// Package landing implements the landing zones of sandboxes: folders into which clients upload files. A file appears
// only when it is complete and durable; an interrupted upload continues where it stopped. A zone has a size quota and a
// retention period. The files are in a byte store, incomplete uploads in a folder of the local disk.
package landing

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"roster/internal/audience"
	"roster/internal/blob"
	"roster/internal/source"
)

// TTL is the time for which a file stays in a landing zone after it was written (contract, section 3: containerTTL).
const TTL = audience.LandingDays * 24 * time.Hour

// Limits of a list of files.
const (
	DefaultFiles = 100
	MaxFiles     = 1000
)

// unfinished is the folder of incomplete uploads, beside the zones.
const unfinished = ".uploads"

// Zones are the landing zones of all sandboxes. They are safe for concurrent use; no other process may use their
// folder.
type Zones struct {
	files blob.Store
	dir   string // of the incomplete uploads
	quota int64

	mu      sync.Mutex
	sending map[string]bool // the uploads by ranges that a request is sending
	holds   map[*hold]bool  // of uploads in progress, and of those that ended during another's measurement
	clock   uint64          // counts beginnings and ends
	cleared sync.Once
}

// disk has the methods of a byte store on the disk of the incomplete uploads.
type disk interface {
	// Check returns the error that Create would return for a path.
	Check(path string) error
	// MoveFile makes a file of the disk an object, and replaces an existing one. The file is then no longer at its path.
	MoveFile(ctx context.Context, path, file string) error
}

// New returns the landing zones in a byte store, each below the name of its sandbox. The folder dir, which is created
// when it is needed, contains the incomplete uploads. A zone has a quota in bytes; 0 means no limit.
func New(dir string, files blob.Store, quota int64) *Zones {
	return &Zones{files: files, dir: filepath.Join(dir, unfinished), quota: quota, sending: map[string]bool{}, holds: map[*hold]bool{}}
}

// Open returns a sandbox's landing zone as a store of sources.
func (z *Zones) Open(sandbox string) source.Store { return z.files.Below(sandbox) }

// uploads opens the folder of a sandbox's incomplete uploads.
func (z *Zones) uploads(sandbox string) (*os.Root, error) {
	z.cleared.Do(z.clear)
	return openFolder(filepath.Join(z.dir, sandbox))
}

func openFolder(dir string) (*os.Root, error) {
	err := os.MkdirAll(dir, 0o700)
	var root *os.Root
	if err == nil {
		root, err = os.OpenRoot(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("open the folder of the uploads: %w", err)
	}
	return root, nil
}

// clear removes the rests of an earlier process. A failure does not prevent uploads; the next start tries again.
func (z *Zones) clear() {
	root, err := openFolder(z.dir)
	if err != nil {
		return
	}
	defer root.Close()
	_ = errors.Join(clearPieces(root), sortUploads(root))
	sandboxes, _ := z.uploading()
	for _, sandbox := range sandboxes {
		if folder, err := root.OpenRoot(sandbox); err == nil {
			_ = errors.Join(clearPieces(folder), folder.Close())
		}
	}
}

// uploading lists the sandboxes with incomplete uploads.
func (z *Zones) uploading() (sandboxes []string, err error) {
	entries, err := os.ReadDir(z.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the uploads: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() {
			sandboxes = append(sandboxes, e.Name())
		}
	}
	return sandboxes, nil
}

// List lists the files of a zone whose paths begin with prefix, in the order of their paths, after the path after. A
// limit of 0 is DefaultFiles. It omits hidden folders, which belong to Roster. more means that there are further files.
func (z *Zones) List(ctx context.Context, sandbox, prefix, after string, limit int) (files []source.Object, more bool, err error) {
	if limit == 0 {
		limit = DefaultFiles
	}
	if limit < 1 || limit > MaxFiles {
		return nil, false, audience.InvalidField("limit", "must be from 1 to %d", MaxFiles)
	}
	prefix = audience.LandingPath(prefix)
	folder, _, deep := cutLast(prefix)
	if problem := audience.CheckPath(folder); deep && problem != "" {
		return nil, false, audience.InvalidField("prefix", "%s", problem)
	}
	err = z.Open(sandbox).List(ctx, folder, func(o source.Object) error {
		switch {
		case !strings.HasPrefix(o.Path, prefix), o.Path <= after, hidden(o.Path):
			return nil
		case len(files) == limit:
			more = true
			return fs.SkipAll
		}
		files = append(files, o)
		return nil
	})
	switch {
	case errors.Is(err, source.ErrNotExist):
		err = nil
	case errors.Is(err, source.ErrOutside):
		err = audience.InvalidField("prefix", "%q leads through a symbolic link", folder)
	}
	return files, more, err
}

// cutLast cuts a path at its last slash.
func cutLast(p string) (folder, name string, deep bool) {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		return "", p, false
	}
	return p[:i], p[i+1:], true
}

// hidden reports whether a path leads through a hidden folder.
func hidden(p string) bool {
	return slices.ContainsFunc(strings.Split(p, "/"), func(part string) bool { return strings.HasPrefix(part, ".") })
}

// Remove removes a file of a zone. An absent one is source.ErrNotExist.
func (z *Zones) Remove(ctx context.Context, sandbox, name string) error {
	zone := z.files.Below(sandbox)
	if _, err := zone.Stat(ctx, name); err != nil {
		return err
	}
	if err := zone.Remove(ctx, name); err != nil {
		return fmt.Errorf("remove a file of the landing zone: %w", err)
	}
	return nil
}

// Clear removes all data of a sandbox.
func (z *Zones) Clear(ctx context.Context, sandbox string) error {
	if err := z.files.Below(sandbox).RemoveAll(ctx, ""); err != nil {
		return fmt.Errorf("empty the landing zone: %w", err)
	}
	err := z.removeParts(sandbox, time.Now().Add(time.Hour))
	_ = os.Remove(filepath.Join(z.dir, sandbox)) // fails while an upload is in progress
	return err
}

// Expire removes the files that were written before a time, and the uploads that were not continued since then, except
// in the sandboxes for which keep returns true. It returns the number of files.
func (z *Zones) Expire(ctx context.Context, before time.Time, keep func(sandbox string) bool) (int, error) {
	sandboxes, err := z.sandboxes(ctx)
	expired := 0
	for _, sandbox := range sandboxes {
		if keep(sandbox) {
			continue
		}
		n, failed := z.expire(ctx, sandbox, before)
		expired += n
		err = errors.Join(err, failed)
	}
	uploading, failed := z.uploading()
	err = errors.Join(err, failed)
	for _, sandbox := range uploading {
		if !keep(sandbox) {
			err = errors.Join(err, z.removeParts(sandbox, before))
		}
	}
	return expired, err
}

// sandboxes lists the sandboxes that have files.
func (z *Zones) sandboxes(ctx context.Context) (list []string, err error) {
	err = z.files.Browse(ctx, "", func(o blob.Object, folder bool) error {
		if folder && !strings.HasPrefix(o.Path, ".") {
			list = append(list, o.Path)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the landing zones: %w", err)
	}
	return list, nil
}

func (z *Zones) expire(ctx context.Context, sandbox string, before time.Time) (int, error) {
	var old []string
	err := z.Open(sandbox).List(ctx, "", func(o source.Object) error {
		if o.Modified.Before(before) && fs.ValidPath(o.Path) { // other objects in the operator's bucket do not belong to Roster
			old = append(old, o.Path)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("list the landing zone of sandbox %s: %w", sandbox, err)
	}
	for i, name := range old {
		if err := z.Remove(ctx, sandbox, name); err != nil && !errors.Is(err, source.ErrNotExist) {
			return i, err
		}
	}
	return len(old), nil
}

// diskError converts an error of the disk of uploads. The client learns that the disk is full.
func diskError(what string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return audience.Errorf(audience.BadGateway, "the disk of the landing zones is full; the server's operator has to make room")
	}
	return fmt.Errorf("%s: %w", what, err)
}
