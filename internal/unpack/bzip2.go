package unpack

import (
	"bufio"
	"compress/bzip2"
	"io"
)

// bzip2Streams reads the streams of a bzip2 file, one after the other. A stream may end within a byte, so only its
// decoder knows the end: the decoder reads two more bytes, and fails unless they begin another stream.
type bzip2Streams struct {
	in     *input
	r      *bufio.Reader
	stream io.Reader
	last   [2]byte // last bytes that the decoder read
	added  int     // number of zero bytes after the end of the file that the decoder read
}

func openBzip2(in *input, r *bufio.Reader) *bzip2Streams {
	b := &bzip2Streams{in: in, r: r}
	b.stream = bzip2.NewReader(b)
	return b
}

// errNoStream is the decoder's error if the two bytes after a stream with a valid checksum do not begin another stream.
const errNoStream = bzip2.StructuralError("bad magic value in continuation file")

// ReadByte returns two zero bytes after the end of the file, so that the decoder can always read two bytes.
func (b *bzip2Streams) ReadByte() (byte, error) {
	c, err := b.r.ReadByte()
	if err == io.EOF && b.added < len(b.last) {
		b.added++
		c, err = 0, nil
	}
	b.last = [2]byte{b.last[1], c}
	return c, err
}

func (b *bzip2Streams) Read(p []byte) (n int, err error) {
	if n, err = b.stream.Read(p); err != errNoStream {
		return n, err
	}
	if isBlank(b.last[0]) && (isBlank(b.last[1]) || b.added == 0 && b.r.UnreadByte() == nil) {
		if err = b.in.behind(b.r, Bzip2); err == nil {
			b.stream = bzip2.NewReader(b)
		}
	}
	return n, err
}
