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

// piece is the prefix of the names of incomplete uploads in one piece.
const piece = "piece-"

// Upload is a client's request to upload a file.
type Upload struct {
	Body   io.Reader
	Length int64 // of the body in bytes; -1 if unknown
	// Range is the range of the file's bytes in the body; nil means all.
	Range *Range
	// SHA256 is the required checksum of the whole file; nil if the client sent none.
	SHA256 []byte
}

// Range is a range of the bytes of a file.
type Range struct {
	First, Last int64 // both are in the range; First is -1 if the client only asks for the progress
	Size        int64 // of the whole file
}

// State is the progress of an upload.
type State struct {
	Received, Size int64 // bytes
	// File is the file, once it is complete; SHA256 is its checksum.
	File   *source.Object
	SHA256 []byte
	// Completed means that this request completed the file, and not an earlier one.
	Completed bool
}

// Put receives a file or a part of it, and puts the complete file in its place in the zone, where it replaces a file of
// that name. name is a path that CheckName accepts, or one of Roster's own. Errors for the client are *audience.Error.
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
	return State{Received: size, Size: size, File: file, SHA256: sum.Sum(nil), Completed: true}, err
}

// CheckName refuses paths outside the landing zone and names that a run would skip.
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
		return audience.InvalidField("path", "is a name that runs skip: %s", reason)
	}
	return nil
}

// checkSum compares the client's checksum, if there is one, with that of the received data.
func checkSum(want, got []byte) error {
	if want == nil || bytes.Equal(want, got) {
		return nil
	}
	return audience.InvalidField("Repr-Digest", "does not match the received data, whose SHA-256 is %x; the file was refused, upload it again", got)
}

// receive writes an upload in one piece to a new file and syncs it.
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

// growing reads a body of unknown length, as long as there is room for it.
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

// place moves a complete and durable file from the uploads to its place.
func (z *Zones) place(ctx context.Context, root *os.Root, temp, sandbox, name string) (*source.Object, error) {
	zone := z.files.Below(sandbox)
	var err error
	if d, ok := zone.(disk); ok {
		err = d.MoveFile(ctx, name, filepath.Join(z.dir, sandbox, temp))
	} else {
		err = copyUpload(ctx, zone, name, root, temp)
	}
	if err = errors.Join(placeError(err), removeIfThere(root, temp)); err != nil {
		return nil, err
	}
	o, err := zone.Stat(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read the uploaded file: %w", err)
	}
	return &o, nil
}

// copyUpload copies a file to a store that is not on the same disk.
func copyUpload(ctx context.Context, zone blob.Store, name string, root *os.Root, temp string) error {
	f, err := root.Open(temp)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = blob.Put(ctx, zone, name, f, nil, blob.CreateOptions{})
	return err
}

// placeError converts an error of putting a file in its place.
func placeError(err error) error {
	var way *blob.PathConflictError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &way) && way.At == way.Path:
		return audience.InvalidField("path", "%q exists and is not a file", way.Path)
	case errors.As(err, &way):
		return audience.InvalidField("path", "%q in it is not a folder", way.At)
	}
	return diskError("put the upload in its place", err)
}

// copyBody copies a request's body. It distinguishes errors of the client from errors of the disk.
func copyBody(ctx context.Context, to io.Writer, body io.Reader) (int64, error) {
	sent := &sender{ctx: ctx, r: body}
	n, err := io.Copy(to, sent)
	var coded *audience.Error
	switch {
	case errors.As(sent.err, &coded) && coded.Code != audience.Invalid:
		return n, sent.err
	case sent.err != nil:
		return n, audience.Errorf(audience.Invalid, "the upload was interrupted after %d bytes: %w", n, sent.err)
	case err != nil:
		return n, diskError("write the upload", err)
	}
	return n, nil
}

// sender reads a request's body and keeps its error separate from the disk's.
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
