// Package landing keeps the landing zones of sandboxes: folders that clients upload files into. A file is there only once
// it is there whole and on the disk; an upload that broke off goes on where it ended. A zone holds so many bytes at most,
// and its files so long.
package landing

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"

	"roster/internal/audience"
	"roster/internal/source"
)

// TTL is how long a file stays in a landing zone after it was written (contract, section 3: containerTTL).
const TTL = audience.LandingDays * 24 * time.Hour

// Limits of a list of files.
const (
	DefaultFiles = 100
	MaxFiles     = 1000
)

// unfinished holds, beside the zones, the uploads that are not whole.
const unfinished = ".uploads"

// Zones is the landing zones of all sandboxes. It is safe for concurrent use; no other process may use its folder.
type Zones struct {
	dir   string
	quota int64

	mu       sync.Mutex
	sending  map[string]bool  // the uploads by ranges that a request is sending a part of
	reserved map[string]int64 // bytes that uploads in one piece will need in a sandbox
	tree     sync.Mutex       // folders are made and removed by one at a time
	cleared  sync.Once
}

// New returns the landing zones in a folder, which is made when it is needed. A zone holds quota bytes; 0 means that there
// is no limit.
func New(dir string, quota int64) *Zones {
	return &Zones{dir: dir, quota: quota, sending: map[string]bool{}, reserved: map[string]int64{}}
}

// Open opens a sandbox's landing zone as a store of sources.
func (z *Zones) Open(sandbox string) (*source.Local, error) {
	root, err := z.root(sandbox)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return source.OpenLocal(filepath.Join(z.dir, sandbox))
}

// root opens the folder of the landing zones, in which the sandbox's and that of the unfinished uploads are there.
func (z *Zones) root(sandbox string) (*os.Root, error) {
	if err := os.MkdirAll(z.dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the landing zone: %w", err)
	}
	root, err := os.OpenRoot(z.dir)
	if err != nil {
		return nil, fmt.Errorf("open the landing zone: %w", err)
	}
	for _, folder := range []string{sandbox, unfinished} {
		if err := root.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, errors.Join(fmt.Errorf("open the landing zone: %w", err), root.Close())
		}
	}
	z.cleared.Do(func() { err = clearPieces(root) })
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

// errEnough ends a listing.
var errEnough = errors.New("landing: seen enough")

// List lists the files of a zone whose paths begin with prefix, in the order of their paths, beginning after the path
// after. A limit of 0 is DefaultFiles. Files below hidden folders are Roster's own. more says that there are others.
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
	zone, err := z.Open(sandbox)
	if err != nil {
		return nil, false, err
	}
	defer zone.Close()
	err = zone.List(ctx, folder, func(o source.Object) error {
		switch {
		case !strings.HasPrefix(o.Path, prefix), o.Path <= after, hidden(o.Path):
			return nil
		case len(files) == limit:
			more = true
			return errEnough
		}
		files = append(files, o)
		return nil
	})
	switch {
	case errors.Is(err, errEnough), errors.Is(err, source.ErrNotExist):
		err = nil
	case errors.Is(err, source.ErrOutside):
		err = audience.InvalidField("prefix", "%q leads behind a symbolic link", folder)
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

// Remove removes a file of a zone, with the folders above it that are empty then. An absent one is source.ErrNotExist.
func (z *Zones) Remove(ctx context.Context, sandbox, name string) error {
	zone, err := z.Open(sandbox)
	if err != nil {
		return err
	}
	defer zone.Close()
	if _, err := zone.Stat(ctx, name); err != nil {
		return err
	}
	root, err := z.root(sandbox)
	if err != nil {
		return err
	}
	defer root.Close()
	return z.remove(root, sandbox, name)
}

func (z *Zones) remove(root *os.Root, sandbox, name string) error {
	z.tree.Lock()
	defer z.tree.Unlock()
	err := root.Remove(path.Join(sandbox, name))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%q: %w", name, source.ErrNotExist)
	}
	if err != nil {
		return fmt.Errorf("remove a file of the landing zone: %w", err)
	}
	folder := path.Dir(name)
	for folder != "." {
		// One that is not empty is not removed, and ends it.
		if err := root.Remove(path.Join(sandbox, folder)); err != nil {
			break
		}
		folder = path.Dir(folder)
	}
	return syncFolder(root, path.Join(sandbox, folder))
}

// Clear removes all that a sandbox has.
func (z *Zones) Clear(sandbox string) error {
	root, err := z.root(sandbox)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.RemoveAll(sandbox); err != nil {
		return fmt.Errorf("empty the landing zone: %w", err)
	}
	return z.dropParts(root, func(p part) bool { return p.Sandbox == sandbox })
}

// Expire removes the files that were written before a time and the uploads that nobody went on with since then, but for
// the sandboxes that keep says. It returns how many files there were.
func (z *Zones) Expire(ctx context.Context, before time.Time, keep func(sandbox string) bool) (int, error) {
	entries, err := os.ReadDir(z.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look through the landing zones: %w", err)
	}
	expired := 0
	for _, e := range entries {
		if !e.IsDir() || e.Name() == unfinished || keep(e.Name()) {
			continue
		}
		n, err := z.expire(ctx, e.Name(), before)
		expired += n
		if err != nil {
			return expired, err
		}
	}
	return expired, nil
}

func (z *Zones) expire(ctx context.Context, sandbox string, before time.Time) (int, error) {
	zone, err := z.Open(sandbox)
	if err != nil {
		return 0, err
	}
	defer zone.Close()
	root, err := z.root(sandbox)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	var old []string
	err = zone.List(ctx, "", func(o source.Object) error {
		if o.Modified.Before(before) {
			old = append(old, o.Path)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("look through the landing zone of sandbox %s: %w", sandbox, err)
	}
	for i, name := range old {
		if err := z.remove(root, sandbox, name); err != nil && !errors.Is(err, source.ErrNotExist) {
			return i, err
		}
	}
	return len(old), z.dropParts(root, func(p part) bool { return p.Sandbox == sandbox && p.touched.Before(before) })
}

// room reserves bytes of a zone for a file that takes the place of the one that is there. The caller gives back what it
// reserved when the file is there, or will not be.
func (z *Zones) room(ctx context.Context, sandbox, name string, bytes int64) (back func(), err error) {
	if z.quota == 0 {
		return func() {}, nil
	}
	used, err := z.used(ctx, sandbox, name)
	if err != nil {
		return nil, err
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if used += z.reserved[sandbox]; bytes > z.quota-used {
		return nil, z.full(sandbox, used)
	}
	z.reserved[sandbox] += bytes
	return func() {
		z.mu.Lock()
		defer z.mu.Unlock()
		z.reserved[sandbox] -= bytes
	}, nil
}

func (z *Zones) full(sandbox string, used int64) error {
	return audience.Errorf(audience.Impossible, "the landing zone of sandbox %q holds %s of the %s that it may (--landing-quota), so the file does not fit; delete files from it",
		sandbox, humanize.IBytes(uint64(used)), humanize.IBytes(uint64(z.quota)))
}

// used is how many bytes a zone holds or has promised to uploads by ranges, without the file of that name.
func (z *Zones) used(ctx context.Context, sandbox, name string) (used int64, err error) {
	zone, err := z.Open(sandbox)
	if err != nil {
		return 0, err
	}
	defer zone.Close()
	err = zone.List(ctx, "", func(o source.Object) error {
		if o.Path != name {
			used += o.Size
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("measure the landing zone: %w", err)
	}
	root, err := z.root(sandbox)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	parts, err := readParts(root)
	for _, p := range parts {
		if p.Sandbox == sandbox && p.Name != name {
			used += p.Size
		}
	}
	return used, err
}

// makeRoom makes the folders above the target, or only looks whether it could. Neither they nor the target may be symbolic
// links, and where the target goes there may be a file but no folder.
func makeRoom(root *os.Root, target string, onlyLook bool) error {
	sandbox, name, _ := strings.Cut(target, "/")
	folder := sandbox
	parts := strings.Split(name, "/")
	for _, part := range parts[:len(parts)-1] {
		above := folder
		folder = path.Join(folder, part)
		info, err := root.Lstat(folder)
		switch {
		case errors.Is(err, fs.ErrNotExist) && onlyLook:
			return nil
		case errors.Is(err, fs.ErrNotExist):
			if err := root.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("make a folder in the landing zone: %w", err)
			}
			if err := syncFolder(root, above); err != nil {
				return err
			}
		case err != nil:
			return fmt.Errorf("look at a folder in the landing zone: %w", err)
		case !info.IsDir():
			return audience.InvalidField("path", "%q in it is not a folder", strings.TrimPrefix(folder, sandbox+"/"))
		}
	}
	info, err := root.Lstat(target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at a file in the landing zone: %w", err)
	}
	if !info.Mode().IsRegular() {
		return audience.InvalidField("path", "%q is there and is not a file", name)
	}
	return nil
}

// syncFolder brings a folder's entries to the disk.
func syncFolder(root *os.Root, name string) error {
	d, err := root.Open(name)
	if err != nil {
		return fmt.Errorf("open a folder of the landing zone: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("write a folder of the landing zone to the disk: %w", err)
	}
	return nil
}

// diskError is an error of the disk that uploads go to. A full one is for whoever uploads to know of.
func diskError(what string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return audience.Errorf(audience.BadGateway, "the disk of the landing zones is full; the server's operator has to make room")
	}
	return fmt.Errorf("%s: %w", what, err)
}
