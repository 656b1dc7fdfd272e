package landing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"roster/internal/audience"
	"roster/internal/durable"
	"roster/internal/source"
)

// An upload by ranges has two files in the folder of its sandbox: its bytes, and a record (part) in JSON that says how
// many of these bytes are on the disk. Later bytes do not count. So an interrupted range, or a killed process, loses no
// recorded bytes. A damaged record does not count either: that upload must start again, and others continue.

// noteEvery is the number of bytes of a range after which the progress is recorded.
const noteEvery = 64 << 20

// part is the record of an incomplete upload by ranges.
type part struct {
	Sandbox  string
	Name     string
	Size     int64
	SHA256   []byte // nil if the client sent none
	Received int64

	id string
}

func partID(sandbox, name string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(sandbox+"\x00"+name)))[:40]
}

func (p *part) bytes() string { return p.id + ".bytes" }
func (p *part) note() string  { return p.id + ".json" }

// sound reports whether a record can come from writePart.
func (p *part) sound() bool {
	return p.id == partID(p.Sandbox, p.Name) && p.Received >= 0 && p.Received <= p.Size && (p.SHA256 == nil || len(p.SHA256) == sha256.Size)
}

// putRange receives a range of a file.
func (z *Zones) putRange(ctx context.Context, root *os.Root, sandbox, name string, u Upload) (State, error) {
	if n := u.Range.Last + 1 - u.Range.First; u.Range.First >= 0 && u.Length != n {
		return State{}, audience.InvalidField("Content-Range", "has %d bytes, but Content-Length differs", n)
	}
	id := partID(sandbox, name)
	if !z.begin(id) {
		return State{}, audience.Errorf(audience.Stale, "another request is uploading %q; wait for its end and ask for the progress", name)
	}
	defer z.end(id)
	p, err := readPart(root, id)
	if err != nil {
		return State{}, err
	}
	fits := p != nil && p.Size == u.Range.Size && (u.SHA256 == nil || bytes.Equal(p.SHA256, u.SHA256))
	switch {
	case u.Range.First < 0 && fits && p.Received == p.Size: // an earlier request was interrupted after its last byte
		return z.finish(ctx, root, p)
	case u.Range.First < 0 && fits && p.Received > 0:
		return State{Received: p.Received, Size: p.Size}, nil
	case u.Range.First < 0:
		return z.ended(ctx, sandbox, name, u)
	case u.Range.First == 0:
		if p, err = z.beginPart(ctx, root, sandbox, name, u); err != nil {
			return State{}, err
		}
	case !fits:
		return State{}, audience.Errorf(audience.Stale, "there is no upload of %q with this size and checksum to continue; begin at byte 0", name)
	case u.Range.First != p.Received:
		return State{}, audience.Errorf(audience.Stale, "the upload of %q is complete up to byte %d; continue there", name, p.Received)
	}
	if err := z.receiveRange(ctx, root, p, u); err != nil {
		return State{}, err
	}
	if p.Received < p.Size {
		return State{Received: p.Received, Size: p.Size}, nil
	}
	return z.finish(ctx, root, p)
}

// begin marks an upload as being sent by a request. It returns false if another request is sending it.
func (z *Zones) begin(id string) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.sending[id] {
		return false
	}
	z.sending[id] = true
	return true
}

func (z *Zones) end(id string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	delete(z.sending, id)
}

// ended reports whether an upload that is not in progress has ended: then the file exists with its checksum.
func (z *Zones) ended(ctx context.Context, sandbox, name string, u Upload) (State, error) {
	state, zone := State{Size: u.Range.Size}, z.Open(sandbox)
	o, err := zone.Stat(ctx, name)
	if errors.Is(err, source.ErrNotExist) || err == nil && (o.Size != u.Range.Size || u.SHA256 == nil) {
		return state, nil
	}
	if err != nil {
		return state, err
	}
	r, err := zone.Open(ctx, o, 0, -1)
	if err != nil {
		return state, err
	}
	defer r.Close()
	sum, err := sumOf(ctx, r)
	if err == nil && bytes.Equal(sum, u.SHA256) {
		state.Received, state.File, state.SHA256 = o.Size, &o, sum
	}
	return state, err
}

// beginPart begins an upload and replaces one in progress.
func (z *Zones) beginPart(ctx context.Context, root *os.Root, sandbox, name string, u Upload) (*part, error) {
	room, err := z.room(ctx, sandbox, name, u.Range.Size, false)
	if err != nil {
		return nil, err
	}
	defer room.end() // the record counts by itself
	p := &part{Sandbox: sandbox, Name: name, Size: u.Range.Size, SHA256: u.SHA256, id: partID(sandbox, name)}
	return p, writePart(root, p)
}

// receiveRange appends a range and records the bytes on the disk, also when the range is interrupted.
func (z *Zones) receiveRange(ctx context.Context, root *os.Root, p *part, u Upload) error {
	f, err := root.OpenFile(p.bytes(), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return diskError("continue the upload", err)
	}
	defer f.Close()
	if err := f.Truncate(p.Received); err != nil {
		return diskError("continue the upload", err)
	}
	if _, err := f.Seek(p.Received, io.SeekStart); err != nil {
		return diskError("continue the upload", err)
	}
	for want := u.Range.Last + 1 - p.Received; want > 0; {
		n, err := copyBody(ctx, f, io.LimitReader(u.Body, min(want, noteEvery)))
		if err == nil && n == 0 {
			err = audience.Errorf(audience.Invalid, "the upload was interrupted %d bytes before the end of its range", want)
		}
		want -= n
		if failed := errors.Join(f.Sync(), z.noted(root, p, n)); failed != nil {
			return diskError("write the upload to the disk", failed)
		}
		if err != nil {
			return err
		}
	}
	return f.Close()
}

func (z *Zones) noted(root *os.Root, p *part, n int64) error {
	if n == 0 {
		return nil
	}
	p.Received += n
	return writePart(root, p)
}

// finish moves a complete upload to its place. It drops an upload whose checksum differs from the client's.
func (z *Zones) finish(ctx context.Context, root *os.Root, p *part) (State, error) {
	f, err := root.Open(p.bytes())
	if err != nil {
		return State{}, fmt.Errorf("check the upload: %w", err)
	}
	sum, err := sumOf(ctx, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return State{}, err
	}
	if err := checkSum(p.SHA256, sum); err != nil {
		return State{}, errors.Join(err, removePart(root, p))
	}
	file, err := z.place(ctx, root, p.bytes(), p.Sandbox, p.Name)
	return State{Received: p.Size, Size: p.Size, File: file, SHA256: sum, Completed: true}, errors.Join(err, removePart(root, p))
}

// sumOf computes the SHA-256 of a file.
func sumOf(ctx context.Context, f io.Reader) ([]byte, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, &sender{ctx: ctx, r: f}); err != nil {
		return nil, fmt.Errorf("check the upload: %w", err)
	}
	return sum.Sum(nil), nil
}

// writePart records the progress of an upload, durably, and either completely or not at all.
func writePart(root *os.Root, p *part) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	f, err := durable.Create(root, ".", false)
	if err != nil {
		return diskError("record the upload", err)
	}
	defer f.Abort()
	if _, err = f.Write(text); err == nil {
		err = f.Commit(p.note(), false)
	}
	if err != nil {
		return diskError("record the upload", err)
	}
	return nil
}

// readPart reads the record of an upload; nil if there is none, or if it is damaged.
func readPart(root *os.Root, id string) (*part, error) {
	p := &part{id: id}
	text, err := root.ReadFile(p.note())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read an upload's record: %w", err)
	}
	if json.Unmarshal(text, p) != nil || !p.sound() {
		return nil, nil
	}
	held, err := root.Stat(p.bytes())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.Received = 0
	case err != nil:
		return nil, fmt.Errorf("read an upload's record: %w", err)
	default:
		p.Received = min(p.Received, held.Size())
	}
	return p, nil
}

// readParts reads the records of all uploads.
func readParts(root *os.Root) ([]part, error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("list the uploads: %w", err)
	}
	var list []part
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok {
			continue
		}
		p, err := readPart(root, id)
		if err != nil {
			return nil, err
		}
		if p != nil {
			list = append(list, *p)
		}
	}
	return list, nil
}

// eachPart calls fn for the record of each upload of a sandbox.
func (z *Zones) eachPart(sandbox string, fn func(*part) error) error {
	root, err := z.uploads(sandbox)
	if err != nil {
		return err
	}
	defer root.Close()
	parts, err := readParts(root)
	for i := range parts {
		err = errors.Join(err, fn(&parts[i]))
	}
	return err
}

// removeParts removes the uploads by ranges of a sandbox that were not continued since a time, unless a request is
// sending a part, and the rests of damaged ones.
func (z *Zones) removeParts(sandbox string, before time.Time) error {
	root, err := z.uploads(sandbox)
	if err != nil {
		return err
	}
	defer root.Close()
	touched := map[string]time.Time{} // the latest change of each upload, by id
	err = eachUpload(root, func(name string, info fs.FileInfo) error {
		id, _, _ := strings.Cut(name, ".")
		if _, seen := touched[id]; !isPiece(name) && (!seen || name == (&part{id: id}).note()) {
			touched[id] = info.ModTime()
		}
		return nil
	})
	for id, at := range touched {
		if at.Before(before) && z.begin(id) {
			err = errors.Join(err, removePart(root, &part{id: id}))
			z.end(id)
		}
	}
	return err
}

// eachUpload calls fn for each file in a folder of uploads.
func eachUpload(root *os.Root, fn func(name string, info fs.FileInfo) error) error {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return fmt.Errorf("list the uploads: %w", err)
	}
	for _, e := range entries {
		info, failed := e.Info()
		if errors.Is(failed, fs.ErrNotExist) || !e.Type().IsRegular() {
			continue
		}
		err = errors.Join(err, failed)
		if failed == nil {
			err = errors.Join(err, fn(e.Name(), info))
		}
	}
	return err
}

// removePart removes an upload. An earlier version wrote records under the name .json.new first.
func removePart(root *os.Root, p *part) error {
	return errors.Join(removeIfThere(root, p.bytes()), removeIfThere(root, p.note()), removeIfThere(root, p.note()+".new"))
}

func removeIfThere(root *os.Root, name string) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove an upload: %w", err)
	}
	return nil
}

// isPiece reports whether a file is useless to another process: an unfinished upload in one piece, or an unfinished
// record.
func isPiece(name string) bool {
	return strings.HasPrefix(name, piece) || strings.HasSuffix(name, durable.Unfinished)
}

// clearPieces removes the unfinished files of an earlier process that cannot be continued.
func clearPieces(root *os.Root) error {
	return eachUpload(root, func(name string, _ fs.FileInfo) error {
		if !isPiece(name) {
			return nil
		}
		return removeIfThere(root, name)
	})
}

// sortUploads moves the uploads by ranges of an earlier version, which are beside the folders of the sandboxes, into
// these folders. It removes those without a sound record, because their sandbox is unknown.
func sortUploads(root *os.Root) error {
	return eachUpload(root, func(name string, _ fs.FileInfo) error {
		id, _, _ := strings.Cut(name, ".")
		p, err := readPart(root, id)
		if err != nil || p == nil {
			return errors.Join(err, removeIfThere(root, name))
		}
		if name != p.note() { // the record goes last, so that the bytes can be found again
			return nil
		}
		if err := root.MkdirAll(p.Sandbox, 0o700); err != nil {
			return fmt.Errorf("sort the uploads: %w", err)
		}
		for _, file := range []string{p.bytes(), p.note()} {
			if err := root.Rename(file, path.Join(p.Sandbox, file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("sort the uploads: %w", err)
			}
		}
		return nil
	})
}
