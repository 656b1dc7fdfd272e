package unpack

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"roster/internal/pgp"
)

const (
	// inBuffer is the size of reads from the stored file.
	inBuffer = 64 << 10
	// maxWindow is the largest window of a zstd file in bytes, the default limit of the reference decoder.
	maxWindow = 128 << 20

	bombSize  = 1 << 30
	bombRatio = 1000
)

// NewReader decompresses r, which is compressed with gzip, zstd or bzip2 and comes from a stored file of that size. A
// separate goroutine decompresses ahead of the reader. Close ends the goroutine and waits for it, but does not close r.
// Errors are *Error or those of r.
func NewReader(r io.Reader, m Method, stored int64) io.ReadCloser {
	in := &input{r: r}
	return ahead(&output{method: m, in: in, stored: stored, bombSize: bombSize, open: func() (io.Reader, func(), error) { return open(in, m) }})
}

// strange reports whether a file that is too short for the header of its method does not match the beginning of a
// header. The libraries would report such a file as truncated, and the user would upload it again in vain.
func strange(r *bufio.Reader, m Method) bool {
	const shortest = 10 // size of a gzip header in bytes
	head, _ := r.Peek(shortest)
	if len(head) == 0 || len(head) == shortest {
		return false
	}
	return Detect(head) != m || m == Gzip && len(head) > 2 && head[2] != deflate
}

// deflate is the third byte of gzip files: the only compression method that gzip has ever had.
const deflate = 8

func open(in *input, m Method) (r io.Reader, end func(), err error) {
	buffered := bufio.NewReaderSize(in, inBuffer)
	if strange(buffered, m) {
		return nil, nil, gzip.ErrHeader
	}
	switch m {
	case Gzip:
		z, err := openGzip(in, buffered)
		return z, func() {}, err
	case Zstd:
		z, err := openZstd(in, buffered)
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	case Bzip2:
		return openBzip2(in, buffered), func() {}, nil
	}
	return nil, nil, fmt.Errorf("unpack: method %q does not support streams", m)
}

// input reads the stored file. It counts the bytes and keeps the original error, which decoders replace with their own.
type input struct {
	r   io.Reader
	n   atomic.Int64
	err error // not io.EOF; used only by the decompressing goroutine
}

func (in *input) Read(p []byte) (int, error) {
	n, err := in.r.Read(p)
	in.n.Add(int64(n))
	if err != nil && err != io.EOF {
		in.err = err
	}
	return n, err
}

// output is the decompressed stream. It describes errors and stops at decompression bombs.
type output struct {
	method   Method
	in       *input
	stored   int64 // size of the stored file, which may be encrypted; only bytes up to this size count as read
	open     func() (r io.Reader, end func(), err error)
	bombSize int64

	r   io.Reader // after the first Read
	end func()    // releases r; may be nil
	n   int64
}

func (o *output) Read(p []byte) (n int, err error) {
	if o.r == nil {
		if o.r, o.end, err = o.open(); err != nil {
			o.r = nil
			return 0, o.reason(err)
		}
	}
	n, err = o.r.Read(p)
	o.n += int64(n)
	if o.n > o.bombSize && o.n/bombRatio > min(o.in.n.Load(), o.stored) {
		return n, &Error{o.method, fmt.Sprintf("unpacks to more than %d times its size; it is refused as a decompression bomb", bombRatio)}
	}
	if err != nil && err != io.EOF {
		err = o.reason(err)
	}
	return n, err
}

func (o *output) close() {
	if o.end != nil {
		o.end()
	}
}

// reason describes an error of a decoder.
func (o *output) reason(err error) error {
	var known *Error
	var message *pgp.Error
	switch {
	case o.in.err != nil:
		return o.in.err
	case errors.As(err, &message):
		return &Error{PGP, message.Reason}
	case errors.As(err, &known):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &Error{o.method, fmt.Sprintf("is cut off: it ends after %d bytes, in the middle; upload it again, whole", o.in.n.Load())}
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return &Error{o.method, fmt.Sprintf("needs a window of more than %d MiB; compress it without a larger one (zstd --long)", maxWindow>>20)}
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, zstd.ErrMagicMismatch):
		return &Error{o.method, "has something else than " + string(o.method) + " data in it, perhaps behind its end; compress it again"}
	}
	return &Error{o.method, fmt.Sprintf("is damaged (%s); upload it again", err)}
}
