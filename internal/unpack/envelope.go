package unpack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"roster/internal/pgp"
)

// Envelope says how a file that is encrypted by PGP is opened.
type Envelope struct {
	// Keys returns the keys that open it, when it is encrypted.
	Keys func(ctx context.Context) (*pgp.Keys, error)
	// Demanded says that a file which is not encrypted is refused.
	Demanded bool
	// Scratch makes a file without a name for what is read at any place, as zip and Parquet files are. It may take so many bytes, 0
	// for any.
	Scratch     func() (*os.File, error)
	MostScratch int64
}

// Decrypt opens r, a PGP message that is stored in a file of that size, as NewReader unpacks. Whoever reads believes nothing before
// io.EOF: only then the message is known to be whole and unaltered, and signed if it must be.
func Decrypt(ctx context.Context, r io.Reader, stored int64, e *Envelope) (io.ReadCloser, error) {
	keys, err := e.Keys(ctx)
	if err != nil {
		return nil, err
	}
	in := &input{r: r}
	return ahead(&output{method: PGP, in: in, stored: stored, bombSize: bombSize, open: func() (io.Reader, func(), error) {
		r, err := keys.Open(in, max(bombSize, stored*bombRatio))
		return r, func() {}, err
	}}), nil
}

// Spool reads r, which Decrypt opened, to its end into a scratch file, and returns it as a file that can be read at any place.
// Close frees it.
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

// atMost reads so many bytes and fails where there are more.
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

// whileWanted reads until its context ends.
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
