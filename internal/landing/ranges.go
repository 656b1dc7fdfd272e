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

// An upload by ranges has two files in the folder of its sandbox: its bytes, and a part in JSON beside them that says how many of these
// are on the disk. Bytes after those are of no account: a range that breaks off, or the process with it, loses nothing that was noted.
// A note that is damaged is of no account either: the upload has to begin anew, and others go on.

// noteEvery is after how many bytes of a range those on the disk are noted.
const noteEvery = 64 << 20

// part is an upload by ranges that is not whole.
type part struct {
	Sandbox  string
	Name     string
	Size     int64
	SHA256   []byte // nil when the client does not say
	Received int64

	id string
}

func partID(sandbox, name string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(sandbox+"\x00"+name)))[:40]
}

func (p *part) bytes() string { return p.id + ".bytes" }
func (p *part) note() string  { return p.id + ".json" }

// sound reports whether a note can be what writePart wrote.
func (p *part) sound() bool {
	return p.id == partID(p.Sandbox, p.Name) && p.Received >= 0 && p.Received <= p.Size && (p.SHA256 == nil || len(p.SHA256) == sha256.Size)
}

// putRange takes a range of a file.
func (z *Zones) putRange(ctx context.Context, root *os.Root, sandbox, name string, u Upload) (State, error) {
	if n := u.Range.Last + 1 - u.Range.First; u.Range.First >= 0 && u.Length != n {
		return State{}, audience.InvalidField("Content-Range", "has %d bytes, and Content-Length must say so", n)
	}
	id := partID(sandbox, name)
	if !z.begin(id) {
		return State{}, audience.Errorf(audience.Stale, "another request is uploading %q; wait for its end and ask how far it came", name)
	}
	defer z.end(id)
	p, err := readPart(root, id)
	if err != nil {
		return State{}, err
	}
	fits := p != nil && p.Size == u.Range.Size && (u.SHA256 == nil || bytes.Equal(p.SHA256, u.SHA256))
	switch {
	case u.Range.First < 0 && fits && p.Received == p.Size: // it was cut off at its very end
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
		return State{}, audience.Errorf(audience.Stale, "there is no upload of %q with this size and checksum to go on with; begin at byte 0", name)
	case u.Range.First != p.Received:
		return State{}, audience.Errorf(audience.Stale, "the upload of %q has come to byte %d; go on from there", name, p.Received)
	}
	if err := z.receiveRange(ctx, root, p, u); err != nil {
		return State{}, err
	}
	if p.Received < p.Size {
		return State{Received: p.Received, Size: p.Size}, nil
	}
	return z.finish(ctx, root, p)
}

// begin has a request be the only one to send parts of an upload.
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

// ended says of an upload that is not under way whether it has ended: then the file is there, with its checksum.
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

// beginPart begins an upload, in the place of one that is under way.
func (z *Zones) beginPart(ctx context.Context, root *os.Root, sandbox, name string, u Upload) (*part, error) {
	room, err := z.room(ctx, sandbox, name, u.Range.Size, false)
	if err != nil {
		return nil, err
	}
	defer room.end() // what is noted counts by itself
	p := &part{Sandbox: sandbox, Name: name, Size: u.Range.Size, SHA256: u.SHA256, id: partID(sandbox, name)}
	return p, writePart(root, p)
}

// receiveRange writes a range behind what is there, and notes what is on the disk, also when the range breaks off.
func (z *Zones) receiveRange(ctx context.Context, root *os.Root, p *part, u Upload) error {
	f, err := root.OpenFile(p.bytes(), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return diskError("go on with the upload", err)
	}
	defer f.Close()
	if err := f.Truncate(p.Received); err != nil {
		return diskError("go on with the upload", err)
	}
	if _, err := f.Seek(p.Received, io.SeekStart); err != nil {
		return diskError("go on with the upload", err)
	}
	for want := u.Range.Last + 1 - p.Received; want > 0; {
		n, err := copyBody(ctx, f, io.LimitReader(u.Body, min(want, noteEvery)))
		if err == nil && n == 0 {
			err = audience.Errorf(audience.Invalid, "the upload broke off %d bytes before the end of its range", want)
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

// finish puts an upload that is whole in its place; one with another checksum than the client said is dropped.
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
		return State{}, errors.Join(err, dropPart(root, p))
	}
	file, err := z.place(ctx, root, p.bytes(), p.Sandbox, p.Name)
	return State{Received: p.Size, Size: p.Size, File: file, SHA256: sum, Placed: true}, errors.Join(err, dropPart(root, p))
}

// sumOf computes the SHA-256 of a file.
func sumOf(ctx context.Context, f io.Reader) ([]byte, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, &sender{ctx: ctx, r: f}); err != nil {
		return nil, fmt.Errorf("check the upload: %w", err)
	}
	return sum.Sum(nil), nil
}

// writePart notes how far an upload has come, whole and durable or not at all.
func writePart(root *os.Root, p *part) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	f, err := durable.Create(root, ".", false)
	if err != nil {
		return diskError("note the upload", err)
	}
	defer f.Abort()
	if _, err = f.Write(text); err == nil {
		err = f.Commit(p.note(), false)
	}
	if err != nil {
		return diskError("note the upload", err)
	}
	return nil
}

// readPart reads what is noted of an upload; nil when there is none, or when the note is damaged.
func readPart(root *os.Root, id string) (*part, error) {
	p := &part{id: id}
	text, err := root.ReadFile(p.note())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at an upload: %w", err)
	}
	if json.Unmarshal(text, p) != nil || !p.sound() {
		return nil, nil
	}
	held, err := root.Stat(p.bytes())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.Received = 0
	case err != nil:
		return nil, fmt.Errorf("look at an upload: %w", err)
	default:
		p.Received = min(p.Received, held.Size())
	}
	return p, nil
}

// readParts reads what is noted of all uploads.
func readParts(root *os.Root) ([]part, error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("look at the uploads: %w", err)
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

// eachPart calls fn for what is noted of each upload of a sandbox.
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

// dropParts removes the uploads by ranges of a sandbox that nobody went on with since a time, unless a request is sending a part, and
// what is left of damaged ones.
func (z *Zones) dropParts(sandbox string, before time.Time) error {
	root, err := z.uploads(sandbox)
	if err != nil {
		return err
	}
	defer root.Close()
	touched := map[string]time.Time{} // the uploads, by id
	err = eachUpload(root, func(name string, info fs.FileInfo) error {
		id, _, _ := strings.Cut(name, ".")
		if _, seen := touched[id]; !isPiece(name) && (!seen || name == (&part{id: id}).note()) {
			touched[id] = info.ModTime()
		}
		return nil
	})
	for id, at := range touched {
		if at.Before(before) && z.begin(id) {
			err = errors.Join(err, dropPart(root, &part{id: id}))
			z.end(id)
		}
	}
	return err
}

// eachUpload calls fn for each file in a folder of uploads.
func eachUpload(root *os.Root, fn func(name string, info fs.FileInfo) error) error {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return fmt.Errorf("look at the uploads: %w", err)
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

// dropPart removes what there is of an upload. An earlier version wrote notes under the name .json.new first.
func dropPart(root *os.Root, p *part) error {
	return errors.Join(removeIfThere(root, p.bytes()), removeIfThere(root, p.note()), removeIfThere(root, p.note()+".new"))
}

func removeIfThere(root *os.Root, name string) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove an upload: %w", err)
	}
	return nil
}

// isPiece reports whether a file is of no use to another process: an upload in one piece, or a note, that was not finished.
func isPiece(name string) bool {
	return strings.HasPrefix(name, piece) || strings.HasSuffix(name, durable.Unfinished)
}

// clearPieces removes what an earlier process did not finish and nobody can go on with.
func clearPieces(root *os.Root) error {
	return eachUpload(root, func(name string, _ fs.FileInfo) error {
		if !isPiece(name) {
			return nil
		}
		return removeIfThere(root, name)
	})
}

// sortUploads puts the uploads by ranges of an earlier version, which lie beside the folders of the sandboxes, into these. What has no
// sound note goes: nobody can tell whose it is.
func sortUploads(root *os.Root) error {
	return eachUpload(root, func(name string, _ fs.FileInfo) error {
		id, _, _ := strings.Cut(name, ".")
		p, err := readPart(root, id)
		if err != nil || p == nil {
			return errors.Join(err, removeIfThere(root, name))
		}
		if name != p.note() { // the note goes last, so that the bytes are found again
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
