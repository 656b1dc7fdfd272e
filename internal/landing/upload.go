package landing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/blob"
	"roster/internal/source"
)

// piece is the prefix of the names of incomplete uploads in one piece on the local disk.
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
func (z *Zones) Put(ctx context.Context, scope audience.Scope, name string, u Upload) (State, error) {
	zone := z.Files.Below(scope.Sandbox)
	if d, ok := zone.(disk); ok {
		if err := placeError(d.Check(name)); err != nil {
			return State{}, err
		}
	}
	if u.Range != nil {
		return z.putRange(ctx, fileKey{scope, name}, u)
	}
	room, err := z.room(ctx, fileKey{scope, name}, max(u.Length, 0), u.Length < 0)
	if err != nil {
		return State{}, err
	}
	defer room.end(ctx)
	if u.Length < 0 {
		u.Body = &growing{Reader: u.Body, ctx: ctx, room: room}
	}
	size, sum, err := z.putWhole(ctx, scope.Sandbox, name, u)
	if err != nil {
		return State{}, err
	}
	o, err := zone.Stat(ctx, name)
	if err != nil {
		return State{}, fmt.Errorf("read the uploaded file: %w", err)
	}
	return State{Received: size, Size: size, File: &o, SHA256: sum, Completed: true}, nil
}

// putWhole receives a file in one piece.
func (z *Zones) putWhole(ctx context.Context, sandbox, name string, u Upload) (size int64, sum []byte, err error) {
	place, received := path.Join(sandbox, name), path.Join(sandbox, name)
	d, moves := z.Files.(disk)
	var w blob.Writer
	if moves {
		received = objectPath(sandbox, piece+uuid.NewString())
		w, err = d.Append(ctx, received, 0)
	} else {
		w, err = z.Files.Create(ctx, received, blob.CreateOptions{})
	}
	if err != nil {
		return 0, nil, storeError("begin the upload", err)
	}
	hash := sha256.New()
	size, broken, err := copyBody(ctx, io.MultiWriter(w, hash), u.Body)
	sum = hash.Sum(nil)
	if err = errors.Join(broken, err); err == nil {
		err = checkSum(u.SHA256, sum)
	}
	if err != nil {
		w.Abort()
	} else {
		err = placeError(w.Commit())
	}
	if err == nil && moves {
		err = placeError(d.Move(ctx, received, place))
	}
	if err != nil && moves {
		err = errors.Join(err, z.Files.Remove(context.WithoutCancel(ctx), received))
	}
	return size, sum, err
}

// objectPath returns the path of an object of the uploads of a sandbox.
func objectPath(sandbox, object string) string { return path.Join(unfinished, sandbox, object) }

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
	return storeError("put the upload in its place", err)
}

// copyBody copies a request's body. It returns errors of the client and errors of the store separately.
func copyBody(ctx context.Context, to io.Writer, body io.Reader) (n int64, broken, failed error) {
	sent := &sender{ctx: ctx, r: body}
	n, err := io.Copy(to, sent)
	var coded *audience.Error
	switch {
	case errors.As(sent.err, &coded) && coded.Code != audience.Invalid:
		return n, sent.err, nil
	case sent.err != nil:
		return n, audience.Errorf(audience.Invalid, "the upload was interrupted after %d bytes: %w", n, sent.err), nil
	case err != nil:
		return n, nil, storeError("write the upload", err)
	}
	return n, nil, nil
}

// sender reads a request's body and keeps its error separate from the store's.
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
