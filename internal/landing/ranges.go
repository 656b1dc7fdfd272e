package landing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/blob"
	"roster/internal/meta"
	"roster/internal/source"
)

// The bytes of an upload by ranges are in parts, which are objects of the byte store. The metadata store lists the parts
// of an upload. A part is recorded when it is durable, so an interrupted range, or a killed process, loses no recorded
// bytes, and any process can receive the next range. Requests to several processes may send the same range at once: the
// one that records its part first wins, and the others are Stale.
//
// A bucket gets a new object for each range. On the local disk, the last part grows instead, if no other request is
// writing it, so that an upload is usually one file, which is then moved to its place.

// noteEvery is the number of bytes of a range after which the progress is recorded.
const noteEvery = 64 << 20

// putRange receives a range of a file.
func (z *Zones) putRange(ctx context.Context, key fileKey, u Upload) (State, error) {
	if n := u.Range.Last + 1 - u.Range.First; u.Range.First >= 0 && u.Length != n {
		return State{}, audience.InvalidField("Content-Range", "has %d bytes, but Content-Length differs", n)
	}
	if !z.begin(key) {
		return State{}, audience.Errorf(audience.Stale, "another request is uploading %q; wait for its end and ask for the progress", key.name)
	}
	defer z.end(key)
	up, err := z.Store.Upload(ctx, key.scope, key.name)
	if err != nil && !errors.Is(err, meta.ErrNotFound) {
		return State{}, fmt.Errorf("read the progress of the upload: %w", err)
	}
	fits := err == nil && up.Size == u.Range.Size && (u.SHA256 == nil || bytes.Equal(up.SHA256, u.SHA256))
	switch {
	case u.Range.First < 0 && fits && up.Received == up.Size: // an earlier request was interrupted after its last byte
		return z.finish(ctx, up, u)
	case u.Range.First < 0 && fits && up.Received > 0:
		return State{Received: up.Received, Size: up.Size}, nil
	case u.Range.First < 0:
		return z.ended(ctx, key, u)
	case u.Range.First == 0:
		if up, err = z.beginUpload(ctx, key, u); err != nil {
			return State{}, err
		}
	case !fits:
		return State{}, audience.Errorf(audience.Stale, "there is no upload of %q with this size and checksum to continue; begin at byte 0", key.name)
	case u.Range.First != up.Received:
		return State{}, audience.Errorf(audience.Stale, "the upload of %q is complete up to byte %d; continue there", key.name, up.Received)
	}
	for up.Received <= u.Range.Last {
		if err := z.receivePart(ctx, &up, u); err != nil {
			return State{}, err
		}
	}
	if up.Received < up.Size {
		return State{Received: up.Received, Size: up.Size}, nil
	}
	return z.finish(ctx, up, u)
}

// begin marks an upload as being sent by a request. It returns false if another request to this process is sending it.
func (z *Zones) begin(key fileKey) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.sending[key] {
		return false
	}
	z.sending[key] = true
	return true
}

func (z *Zones) end(key fileKey) {
	z.mu.Lock()
	defer z.mu.Unlock()
	delete(z.sending, key)
}

// ended reports whether an upload that is not in progress has ended: then the file exists with its checksum.
func (z *Zones) ended(ctx context.Context, key fileKey, u Upload) (State, error) {
	state, zone := State{Size: u.Range.Size}, z.Open(key.scope.Sandbox)
	o, err := zone.Stat(ctx, key.name)
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
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return state, fmt.Errorf("check the upload: %w", err)
	}
	if bytes.Equal(sum.Sum(nil), u.SHA256) {
		state.Received, state.File, state.SHA256 = o.Size, &o, u.SHA256
	}
	return state, nil
}

// beginUpload begins an upload and replaces one in progress.
func (z *Zones) beginUpload(ctx context.Context, key fileKey, u Upload) (up meta.Upload, err error) {
	room, err := z.room(ctx, key, u.Range.Size, false)
	if err != nil {
		return up, err
	}
	defer room.end(ctx) // the upload counts by itself
	up = meta.Upload{ID: uuid.NewString(), Scope: key.scope, Name: key.name, Size: u.Range.Size, SHA256: u.SHA256, UpdatedAt: z.Clock()}
	var replaced meta.Upload
	err = z.Store.Update(ctx, func(tx meta.Tx) error {
		var err error
		if replaced, err = tx.Upload(ctx, key.scope, key.name); err != nil && !errors.Is(err, meta.ErrNotFound) {
			return err
		}
		return tx.CreateUpload(ctx, up)
	})
	if err != nil {
		return up, fmt.Errorf("record the upload: %w", err)
	}
	_ = z.removeParts(context.WithoutCancel(ctx), replaced) // what stays is removed as orphans
	return up, nil
}

// receivePart receives bytes of a range, and records them when they are durable, also when the range is interrupted.
func (z *Zones) receivePart(ctx context.Context, up *meta.Upload, u Upload) error {
	lasting := context.WithoutCancel(ctx)
	part, w, err := z.openPart(lasting, *up)
	if errors.Is(err, blob.ErrChanged) {
		return z.lost(lasting, *up)
	}
	if err != nil {
		return storeError("continue the upload", err)
	}
	defer w.Abort()
	want := u.Range.Last + 1 - up.Received
	n, broken, err := copyBody(ctx, w, io.LimitReader(u.Body, min(want, noteEvery)))
	created := part.Bytes == 0
	if err != nil || n == 0 {
		w.Abort()
		if created {
			err = errors.Join(err, z.Files.Remove(lasting, objectPath(up.Scope.Sandbox, part.Object)))
		}
		if err == nil && broken == nil {
			broken = audience.Errorf(audience.Invalid, "the upload was interrupted %d bytes before the end of its range", want)
		}
		return errors.Join(broken, err)
	}
	if err := w.Commit(); err != nil {
		return storeError("write the upload", err)
	}
	part.Bytes += n
	if err := z.recordPart(lasting, up, part, created); err != nil {
		return err
	}
	return broken
}

// openPart opens the part that the next bytes of an upload go to, which is the last one or a new one.
func (z *Zones) openPart(ctx context.Context, up meta.Upload) (part meta.UploadPart, w blob.Writer, err error) {
	d, grows := z.Files.(disk)
	if grows && len(up.Parts) > 0 {
		last := up.Parts[len(up.Parts)-1]
		if w, err = d.Append(ctx, objectPath(up.Scope.Sandbox, last.Object), last.Bytes); !errors.Is(err, blob.ErrBusy) {
			return last, w, err
		}
	}
	part = meta.UploadPart{First: up.Received, Object: uuid.NewString()}
	at := objectPath(up.Scope.Sandbox, part.Object)
	if grows {
		w, err = d.Append(ctx, at, 0)
	} else {
		w, err = z.Files.Create(ctx, at, blob.CreateOptions{})
	}
	return part, w, err
}

// recordPart records the bytes of a part. A new part that another request was faster than is removed.
func (z *Zones) recordPart(ctx context.Context, up *meta.Upload, part meta.UploadPart, created bool) error {
	now := z.Clock()
	err := z.Store.Update(ctx, func(tx meta.Tx) error { return tx.AddUploadPart(ctx, *up, part, now) })
	if errors.Is(err, meta.ErrStale) {
		err = audience.Errorf(audience.Stale, "another request has continued the upload of %q; ask for the progress", up.Name)
		if created {
			err = errors.Join(err, z.Files.Remove(ctx, objectPath(up.Scope.Sandbox, part.Object)))
		}
		return err
	}
	if err != nil {
		return fmt.Errorf("record the progress of the upload: %w", err)
	}
	if !created {
		up.Parts = up.Parts[:len(up.Parts)-1]
	}
	up.Parts, up.Received = append(up.Parts, part), part.First+part.Bytes
	return nil
}

// lost drops an upload whose parts are not in the byte store any more.
func (z *Zones) lost(ctx context.Context, up meta.Upload) error {
	if _, err := z.drop(ctx, up); err != nil {
		return err
	}
	return audience.Errorf(audience.Stale, "the received bytes of the upload of %q are lost; begin at byte 0", up.Name)
}

// finish makes a complete upload a file. It drops an upload whose checksum differs from the client's.
func (z *Zones) finish(ctx context.Context, up meta.Upload, u Upload) (State, error) {
	sum, moved, err := z.place(ctx, up)
	absent := errors.Is(err, blob.ErrNotExist) // another request has finished the upload, or a process has died after that
	if err != nil && !absent && audience.CodeOf(err) != audience.Invalid {
		return State{}, err
	}
	removed, failed := z.drop(context.WithoutCancel(ctx), up)
	if failed != nil {
		return State{}, errors.Join(err, failed)
	}
	if absent {
		u.SHA256 = up.SHA256
		return z.ended(ctx, fileKey{up.Scope, up.Name}, u)
	}
	if err != nil {
		return State{}, err
	}
	o, err := z.Open(up.Scope.Sandbox).Stat(ctx, up.Name)
	if err != nil {
		return State{}, fmt.Errorf("read the uploaded file: %w", err)
	}
	return State{Received: up.Size, Size: up.Size, File: &o, SHA256: sum, Completed: removed || moved}, nil
}

// place checks the content of a complete upload and puts it in its place. moved means that no other request can do the
// same, because the only part became the file.
func (z *Zones) place(ctx context.Context, up meta.Upload) (sum []byte, moved bool, err error) {
	if d, ok := z.Files.(disk); ok && len(up.Parts) == 1 {
		sum, err = z.movePart(ctx, d, up)
		return sum, err == nil, err
	}
	w, err := z.Files.Create(ctx, placePath(up), blob.CreateOptions{})
	if err != nil {
		return nil, false, placeError(err)
	}
	defer w.Abort()
	if sum, err = z.copyParts(ctx, w, up); err != nil {
		return nil, false, err
	}
	return sum, false, placeError(w.Commit())
}

func placePath(up meta.Upload) string { return path.Join(up.Scope.Sandbox, up.Name) }

// movePart checks the only part of a complete upload and moves it to its place.
func (z *Zones) movePart(ctx context.Context, d disk, up meta.Upload) (sum []byte, err error) {
	from := objectPath(up.Scope.Sandbox, up.Parts[0].Object)
	claim, err := d.Append(ctx, from, up.Size)
	switch {
	case errors.Is(err, blob.ErrBusy):
		return nil, audience.Errorf(audience.Stale, "another request is finishing the upload of %q; ask for the progress", up.Name)
	case errors.Is(err, blob.ErrChanged):
		return nil, fmt.Errorf("%q: %w", from, blob.ErrNotExist)
	case err != nil:
		return nil, storeError("finish the upload", err)
	}
	defer claim.Abort()
	if sum, err = z.copyParts(ctx, io.Discard, up); err != nil {
		return nil, err
	}
	return sum, placeError(d.Move(ctx, from, placePath(up)))
}

// copyParts copies the content of an upload, and compares its checksum.
func (z *Zones) copyParts(ctx context.Context, to io.Writer, up meta.Upload) (sum []byte, err error) {
	hash := sha256.New()
	to = io.MultiWriter(to, hash)
	for _, p := range up.Parts {
		if err := z.copyPart(ctx, to, objectPath(up.Scope.Sandbox, p.Object), p.Bytes); err != nil {
			return nil, fmt.Errorf("read the upload: %w", err)
		}
	}
	sum = hash.Sum(nil)
	return sum, checkSum(up.SHA256, sum)
}

func (z *Zones) copyPart(ctx context.Context, to io.Writer, object string, size int64) error {
	o, err := z.Files.Stat(ctx, object)
	if err != nil {
		return err
	}
	if o.Size < size {
		return fmt.Errorf("%q: %w", object, blob.ErrNotExist)
	}
	r, err := z.Files.Open(ctx, o, 0, size)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(to, r)
	return err
}

// drop removes an upload and its parts. It returns false if another request has continued or removed the upload. Parts
// that cannot be removed now are removed as orphans.
func (z *Zones) drop(ctx context.Context, up meta.Upload) (bool, error) {
	err := z.Store.Update(ctx, func(tx meta.Tx) error { return tx.DeleteUpload(ctx, up) })
	if errors.Is(err, meta.ErrStale) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("remove an upload: %w", err)
	}
	_ = z.removeParts(ctx, up)
	return true, nil
}

// removeParts removes the parts of an upload that is not recorded any more.
func (z *Zones) removeParts(ctx context.Context, up meta.Upload) error {
	if len(up.Parts) == 0 {
		return nil
	}
	objects := make([]string, len(up.Parts))
	for i, p := range up.Parts {
		objects[i] = objectPath(up.Scope.Sandbox, p.Object)
	}
	if err := z.Files.Remove(ctx, objects...); err != nil {
		return fmt.Errorf("remove the parts of an upload: %w", err)
	}
	return nil
}
