package unpack

import (
	"bufio"
	"compress/bzip2"
	"io"
)

// bzip2Streams reads the streams of a bzip2 file, one after the other. A stream ends somewhere in a byte, so that only its decoder
// knows where: the decoder takes two more bytes, and fails unless they begin another stream.
type bzip2Streams struct {
	in     *input
	r      *bufio.Reader
	stream io.Reader
	last   [2]byte // that the decoder took
	added  int     // zero bytes behind the end of the file that it took
}

func openBzip2(in *input, r *bufio.Reader) *bzip2Streams {
	b := &bzip2Streams{in: in, r: r}
	b.stream = bzip2.NewReader(b)
	return b
}

// errNoStream is what the decoder says when two bytes behind a stream, whose checksum was right, begin no other one.
const errNoStream = bzip2.StructuralError("bad magic value in continuation file")

// ReadByte has two zero bytes behind the end of the file, so that the decoder's two bytes are always there.
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
