package unpack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"roster/internal/pgp"
)

// Envelope configures the decryption of PGP files.
type Envelope struct {
	// Keys loads the keys for decryption. They are loaded only for an encrypted file.
	Keys pgp.KeyLoader
	// Demanded refuses files that are not encrypted.
	Demanded bool
	// Scratch creates a file without a name for files that need random access, such as zip and Parquet files. The limit
	// is in bytes, 0 for none.
	Scratch     func() (*os.File, error)
	MostScratch int64
}

// Decrypt decrypts r, a PGP message in a stored file of that size, in the same way as NewReader decompresses. The
// caller must not trust the data before io.EOF: only then the message is known to be complete, unaltered and, if
// required, signed.
func Decrypt(ctx context.Context, r io.Reader, stored int64, e *Envelope) (io.ReadCloser, error) {
	keys, err := e.Keys.Load(ctx)
	if err != nil {
		return nil, err
	}
	in := &input{r: r}
	return ahead(&output{method: PGP, in: in, stored: stored, bombSize: bombSize, open: func() (io.Reader, func(), error) {
		r, err := keys.Open(in, max(bombSize, stored*bombRatio))
		return r, func() {}, err
	}}), nil
}

// Spool copies r, which Decrypt returned, completely into a scratch file, and returns the file for random access. Close
// releases it.
func (e *Envelope) Spool(ctx context.Context, r io.Reader, stored int64) (f File, closer io.Closer, err error) {
	scratch, err := e.Scratch()
	if err != nil {
		return File{}, nil, err
	}
	if e.MostScratch > 0 {
		r = &atMost{r, e.MostScratch, e.MostScratch}
	}
	n, err := io.Copy(scratch, &whileWanted{ctx, r})
	if err != nil {
		return File{}, nil, errors.Join(err, scratch.Close())
	}
	return File{Size: n, packed: stored, Open: func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
		if length < 0 {
			length = n - offset
		}
		return io.NopCloser(io.NewSectionReader(scratch, offset, length)), nil
	}}, scratch, nil
}

// atMost reads up to a number of bytes and fails if there are more.
type atMost struct {
	r          io.Reader
	left, most int64
}

func (a *atMost) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	if a.left -= int64(n); a.left < 0 {
		return 0, &Error{PGP, fmt.Sprintf("holds a zip or Parquet file of more than %d MiB, which only a run reads", a.most>>20)}
	}
	return n, err
}

// whileWanted reads r until the context ends.
type whileWanted struct {
	ctx context.Context
	r   io.Reader
}

func (w *whileWanted) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.Read(p)
}
