package landing

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/blob"
	"roster/internal/durable"
	"roster/internal/meta"
)

// note is the record of an incomplete upload of an earlier version. It is in a file ID.json, and the bytes of the upload
// are in ID.bytes beside it, on the local disk also if the zones were in a bucket. The files are in the folder of the
// sandbox or, from a still earlier version, above that. Bytes after the recorded ones do not count.
type note struct {
	Sandbox  string
	Name     string
	Size     int64
	SHA256   []byte // nil if the client sent none
	Received int64
}

// sound reports whether an earlier version can have written the note.
func (n *note) sound(id string) bool {
	return id == fmt.Sprintf("%x", sha256.Sum256([]byte(n.Sandbox+"\x00"+n.Name)))[:40] && n.Received >= 0 && n.Received <= n.Size &&
		(n.SHA256 == nil || len(n.SHA256) == sha256.Size)
}

// Recover removes the pieces that an earlier process left on the disk, and takes over the uploads by ranges of an
// earlier version. No other process uses the folder of the zones.
func (z *Zones) Recover(ctx context.Context) error {
	root, err := os.OpenRoot(filepath.Join(z.Dir, unfinished))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the folder of the uploads: %w", err)
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return ignoreAbsent(err)
		}
		id, isNote := strings.CutSuffix(path.Base(name), ".json")
		switch {
		case isNote:
			err = z.takeOver(ctx, root, path.Dir(name), id)
		case strings.HasPrefix(id, piece), strings.HasSuffix(id, durable.Unfinished), strings.HasSuffix(id, ".json.new"):
			err = ignoreAbsent(root.Remove(name))
		}
		if err != nil {
			return fmt.Errorf("recover the upload %s: %w", name, err)
		}
		return nil
	})
}

// ignoreAbsent returns nil for the error of a file that no longer exists.
func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// takeOver records the upload of a note in the metadata store, and removes the note. It removes an upload whose note is
// damaged or whose sandbox is gone.
func (z *Zones) takeOver(ctx context.Context, root *os.Root, folder, id string) error {
	noted, content := path.Join(folder, id+".json"), path.Join(folder, id+".bytes")
	up, object, err := z.readNote(ctx, root, noted, content, id)
	if err != nil {
		return err
	}
	recorded := up.Received > 0
	if recorded {
		if content, err = z.takeContent(ctx, root, content, object, up); err != nil {
			return err
		}
		err = z.Store.Update(ctx, func(tx meta.Tx) error {
			now, err := tx.Upload(ctx, up.Scope, up.Name)
			if errors.Is(err, meta.ErrNotFound) {
				return tx.CreateUpload(ctx, up)
			}
			recorded = err == nil && len(now.Parts) > 0 && now.Parts[0].Object == object // an earlier attempt ended here
			return err
		})
		if err != nil {
			return err
		}
	}
	if _, onDisk := z.Files.(disk); !recorded || !onDisk {
		if err := ignoreAbsent(root.Remove(content)); err != nil {
			return err
		}
	}
	return ignoreAbsent(root.Remove(noted))
}

// readNote returns the upload of a note and the name of its object. Received is 0 if the upload cannot continue.
func (z *Zones) readNote(ctx context.Context, root *os.Root, noted, content, id string) (up meta.Upload, object string, err error) {
	text, err := root.ReadFile(noted)
	if err != nil {
		return up, "", err
	}
	var n note
	if json.Unmarshal(text, &n) != nil || !n.sound(id) {
		return up, "", nil
	}
	info, err := root.Stat(content)
	if err != nil {
		return up, "", ignoreAbsent(err)
	}
	org, err := z.orgOf(ctx, n.Sandbox)
	if err != nil || org == "" {
		return up, "", err
	}
	object = id + ".bytes"
	if _, onDisk := z.Files.(disk); !onDisk {
		object = uuid.NewString()
	}
	up = meta.Upload{ID: uuid.NewString(), Scope: audience.Scope{Org: org, Sandbox: n.Sandbox}, Name: n.Name, Size: n.Size, SHA256: n.SHA256,
		Received: min(n.Received, info.Size()), UpdatedAt: info.ModTime().Truncate(time.Microsecond).UTC()}
	up.Parts = []meta.UploadPart{{Bytes: up.Received, Object: object}}
	return up, object, nil
}

// orgOf returns the organization of a sandbox; "" if there is none. Earlier versions had one organization.
func (z *Zones) orgOf(ctx context.Context, sandbox string) (string, error) {
	orgs, err := z.Store.Organizations(ctx)
	if err != nil {
		return "", err
	}
	for _, org := range orgs {
		_, err := z.Store.Sandbox(ctx, audience.Scope{Org: org, Sandbox: sandbox})
		if !errors.Is(err, meta.ErrNotFound) {
			return org, err
		}
	}
	return "", nil
}

// takeContent puts the bytes of an upload into the byte store, which on the disk is a new name at most. It returns the
// path of the local file.
func (z *Zones) takeContent(ctx context.Context, root *os.Root, content, object string, up meta.Upload) (string, error) {
	if _, onDisk := z.Files.(disk); onDisk {
		at := path.Join(up.Scope.Sandbox, object)
		if at == content {
			return content, nil
		}
		return at, errors.Join(root.MkdirAll(up.Scope.Sandbox, 0o700), root.Rename(content, at), durable.Sync(root, up.Scope.Sandbox))
	}
	f, err := root.Open(content)
	if err != nil {
		return "", err
	}
	defer f.Close()
	_, err = blob.Put(ctx, z.Files, objectPath(up.Scope.Sandbox, object), io.NewSectionReader(f, 0, up.Received), nil, blob.CreateOptions{})
	return content, err
}
