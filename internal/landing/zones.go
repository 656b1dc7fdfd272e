// Package landing implements the landing zones of sandboxes: folders into which clients upload files. A file appears
// only when it is complete and durable; an interrupted upload continues where it stopped, on any process. A zone has a
// size quota and a retention period. Files and parts of incomplete uploads are in a byte store; the metadata store knows
// what was received.
package landing

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"roster/internal/audience"
	"roster/internal/blob"
	"roster/internal/meta"
	"roster/internal/source"
)

// TTL is the time for which a file stays in a landing zone after it was written (contract, section 3: containerTTL).
const TTL = audience.LandingDays * 24 * time.Hour

// Limits of a list of files.
const (
	DefaultFiles = 100
	MaxFiles     = 1000
)

// unfinished is the folder of incomplete uploads, beside the zones: each lies in a folder of its sandbox.
const unfinished = ".uploads"

// Config has the stores and settings of landing zones.
type Config struct {
	// Files is the byte store. Each zone lies below the name of its sandbox.
	Files blob.Store
	// Store is the metadata store.
	Store Store
	// Dir is the folder of Files if Files is on the local disk. Earlier versions kept incomplete uploads there in any case.
	Dir string
	// Quota is the size quota of a zone in bytes; 0 means no limit.
	Quota int64
	Clock func() time.Time
}

// Store has the methods of the metadata store that landing zones need.
type Store interface {
	meta.Uploads
	meta.Tenants
	meta.Updater
}

// Zones are the landing zones of all sandboxes. They are safe for concurrent use. Several processes may use the same
// stores.
type Zones struct {
	Config

	mu      sync.Mutex
	sending map[fileKey]bool // the uploads by ranges that a request to this process is sending
}

// fileKey names a file of a landing zone.
type fileKey struct {
	scope audience.Scope
	name  string
}

// disk has the methods of a byte store on the local disk. There a part can grow, and becomes the file without a copy.
type disk interface {
	// Check returns the error that Create would return for a path.
	Check(path string) error
	// Append opens an object to write after its first size bytes; see local.Store.
	Append(ctx context.Context, path string, size int64) (blob.Writer, error)
	// Move gives an object another path, and replaces an existing one.
	Move(ctx context.Context, from, to string) error
}

// New returns the landing zones in a byte store.
func New(c Config) *Zones { return &Zones{Config: c, sending: map[fileKey]bool{}} }

// Open returns a sandbox's landing zone as a store of sources.
func (z *Zones) Open(sandbox string) source.Store { return z.Files.Below(sandbox) }

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
	zone := z.Files.Below(sandbox)
	if _, err := zone.Stat(ctx, name); err != nil {
		return err
	}
	if err := zone.Remove(ctx, name); err != nil {
		return fmt.Errorf("remove a file of the landing zone: %w", err)
	}
	return nil
}

// Clear removes all files of a sandbox. The metadata store has no incomplete uploads of the sandbox any more.
func (z *Zones) Clear(ctx context.Context, sandbox string) error {
	if err := errors.Join(z.Files.RemoveAll(ctx, sandbox), z.Files.RemoveAll(ctx, path.Join(unfinished, sandbox))); err != nil {
		return fmt.Errorf("empty the landing zone: %w", err)
	}
	return nil
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
	return expired, errors.Join(err, z.expireUploads(ctx, before, keep), z.removeOrphans(ctx, before))
}

// expireUploads removes the uploads that were not continued since a time. Of several processes, one removes an upload.
func (z *Zones) expireUploads(ctx context.Context, before time.Time, keep func(sandbox string) bool) error {
	old, err := z.Store.UploadsBefore(ctx, before)
	if err != nil {
		return fmt.Errorf("list the uploads: %w", err)
	}
	for _, up := range old {
		if keep(up.Scope.Sandbox) {
			continue
		}
		if whole, failed := z.Store.Upload(ctx, up.Scope, up.Name); failed == nil && whole.ID == up.ID && whole.Received == up.Received {
			_, failed = z.drop(ctx, whole)
			err = errors.Join(err, failed)
		} else if failed != nil && !errors.Is(failed, meta.ErrNotFound) {
			err = errors.Join(err, fmt.Errorf("read an upload: %w", failed))
		}
	}
	return err
}

// removeOrphans removes the objects of uploads that were written before a time and are not part of any upload: a process
// died between the change of the metadata and that of the byte store.
func (z *Zones) removeOrphans(ctx context.Context, before time.Time) error {
	old := map[string]string{} // paths by the name of the object
	err := z.Files.List(ctx, unfinished, func(o blob.Object) error {
		if o.Modified.Before(before) && fs.ValidPath(o.Path) {
			old[path.Base(o.Path)] = o.Path
		}
		return nil
	})
	if errors.Is(err, blob.ErrNotExist) || err == nil && len(old) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list the uploads: %w", err)
	}
	parts, err := z.Store.UploadObjects(ctx, slices.Collect(maps.Keys(old)))
	if err != nil {
		return fmt.Errorf("list the parts of uploads: %w", err)
	}
	for _, part := range parts {
		delete(old, part)
	}
	if err := z.Files.Remove(ctx, slices.Collect(maps.Values(old))...); err != nil {
		return fmt.Errorf("remove the rest of an upload: %w", err)
	}
	return nil
}

// sandboxes lists the sandboxes that have files.
func (z *Zones) sandboxes(ctx context.Context) (list []string, err error) {
	err = z.Files.Browse(ctx, "", func(o blob.Object, folder bool) error {
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

// storeError converts an error of the byte store. The client learns that the disk is full.
func storeError(what string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return audience.Errorf(audience.BadGateway, "the disk of the landing zones is full; the server's operator has to make room")
	}
	return fmt.Errorf("%s: %w", what, err)
}
