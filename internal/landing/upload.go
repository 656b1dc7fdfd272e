package landing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/blob"
	"roster/internal/source"
)

// piece begins the names of files that are uploaded in one piece and are not whole.
const piece = "piece-"

// Upload is what a client sends of a file.
type Upload struct {
	Body   io.Reader
	Length int64 // of the body in bytes; -1 when it is not known
	// Range is which bytes of the file the body has; nil means all.
	Range *Range
	// SHA256 is the checksum of the whole file, which it must have; nil when the client does not say.
	SHA256 []byte
}

// Range is a range of the bytes of a file.
type Range struct {
	First, Last int64 // both are in the range; First is -1 when the client only asks what is there
	Size        int64 // of the whole file
}

// State is how far an upload has come.
type State struct {
	Received, Size int64 // bytes
	// File is the file, once it is whole; SHA256 its checksum.
	File   *source.Object
	SHA256 []byte
	// Placed says that it is this upload that put the file in its place, and not one before it.
	Placed bool
}

// Put takes what a client sends of a file, and puts the file in its place in the zone, or in that of the one that is there,
// when it is whole. name is a path that CheckName accepts, or one of Roster's own. Its errors are *audience.Error when
// they are the client's to know.
func (z *Zones) Put(ctx context.Context, sandbox, name string, u Upload) (State, error) {
	if d, ok := z.files.Below(sandbox).(disk); ok {
		if err := placeError(d.Check(name)); err != nil {
			return State{}, err
		}
	}
	root, err := z.uploads(sandbox)
	if err != nil {
		return State{}, err
	}
	defer root.Close()
	if u.Range != nil {
		return z.putRange(ctx, root, sandbox, name, u)
	}
	room, err := z.room(ctx, sandbox, name, max(u.Length, 0), u.Length < 0)
	if err != nil {
		return State{}, err
	}
	defer room.end()
	if u.Length < 0 {
		u.Body = growing{u.Body, room}
	}
	temp := piece + uuid.NewString()
	sum := sha256.New()
	size, err := receive(ctx, root, temp, u.Body, sum)
	if err == nil {
		err = checkSum(u.SHA256, sum.Sum(nil))
	}
	if err != nil {
		return State{}, errors.Join(err, root.Remove(temp))
	}
	file, err := z.place(ctx, root, temp, sandbox, name)
	return State{Received: size, Size: size, File: file, SHA256: sum.Sum(nil), Placed: true}, err
}

// CheckName refuses paths that leave the landing zone and names that a run would pass over.
func CheckName(name string) error {
	if problem := audience.CheckPath(name); problem != "" {
		return audience.InvalidField("path", "%s", problem)
	}
	for part := range strings.SplitSeq(name, "/") {
		if len(part) > 255 {
			return audience.InvalidField("path", "has a part with %d bytes; at most 255 are allowed", len(part))
		}
	}
	if reason := source.NoData(name); reason != "" {
		return audience.InvalidField("path", "is a place that runs pass over: %s", reason)
	}
	return nil
}

// checkSum compares the checksum that a client said, if it said one, with that of what arrived.
func checkSum(want, got []byte) error {
	if want == nil || bytes.Equal(want, got) {
		return nil
	}
	return audience.InvalidField("Repr-Digest", "is not that of what arrived, whose SHA-256 is %x; the file is not taken, upload it again", got)
}

// receive writes what the client sends in one piece to a new file and to the disk.
func receive(ctx context.Context, root *os.Root, temp string, body io.Reader, sum hash.Hash) (int64, error) {
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, diskError("begin the upload", err)
	}
	defer f.Close()
	n, err := copyBody(ctx, io.MultiWriter(f, sum), body)
	if err != nil {
		return n, err
	}
	if err := f.Sync(); err != nil {
		return n, diskError("write the upload to the disk", err)
	}
	return n, f.Close()
}

// growing reads a body whose length is not known, as long as there is room for it.
type growing struct {
	io.Reader
	room *hold
}

func (g growing) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p)
	if full := g.room.grow(int64(n)); full != nil {
		return 0, full
	}
	return n, err
}

// place puts a file that is whole and on the disk in its place, and removes it from the uploads.
func (z *Zones) place(ctx context.Context, root *os.Root, temp, sandbox, name string) (*source.Object, error) {
	zone := z.files.Below(sandbox)
	var err error
	if d, ok := zone.(disk); ok {
		err = d.Adopt(ctx, name, filepath.Join(z.dir, sandbox, temp))
	} else {
		err = copyUpload(ctx, zone, name, root, temp)
	}
	if err = errors.Join(placeError(err), removeIfThere(root, temp)); err != nil {
		return nil, err
	}
	o, err := zone.Stat(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("look at the uploaded file: %w", err)
	}
	return &o, nil
}

// copyUpload copies a file to a store that is not on its disk.
func copyUpload(ctx context.Context, zone blob.Store, name string, root *os.Root, temp string) error {
	f, err := root.Open(temp)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = blob.Put(ctx, zone, name, f, nil, blob.CreateOptions{})
	return err
}

// placeError is an error of putting a file in its place.
func placeError(err error) error {
	var way *blob.InTheWay
	switch {
	case err == nil:
		return nil
	case errors.As(err, &way) && way.At == way.Path:
		return audience.InvalidField("path", "%q is there and is not a file", way.Path)
	case errors.As(err, &way):
		return audience.InvalidField("path", "%q in it is not a folder", way.At)
	}
	return diskError("put the upload in its place", err)
}

// copyBody copies what a client sends. An error of the client's is told apart from one of the disk.
func copyBody(ctx context.Context, to io.Writer, body io.Reader) (int64, error) {
	sent := &sender{ctx: ctx, r: body}
	n, err := io.Copy(to, sent)
	var coded *audience.Error
	switch {
	case errors.As(sent.err, &coded) && coded.Code != audience.Invalid:
		return n, sent.err
	case sent.err != nil:
		return n, audience.Errorf(audience.Invalid, "the upload broke off after %d bytes: %w", n, sent.err)
	case err != nil:
		return n, diskError("write the upload", err)
	}
	return n, nil
}

// sender reads what a client sends and keeps its error apart from the disk's.
type sender struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (s *sender) Read(p []byte) (int, error) {
	if s.err = s.ctx.Err(); s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
