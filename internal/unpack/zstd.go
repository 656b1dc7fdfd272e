package unpack

import (
	"bufio"
	"encoding/binary"

	"github.com/klauspost/compress/zstd"
)

// zstdFrames passes a zstd file to its decoder without trailing blank bytes. It parses the sizes of frames and blocks
// (RFC 8878) to find the ends of frames; the decoder does everything else.
type zstdFrames struct {
	in      *input
	r       *bufio.Reader
	left    int64 // remaining bytes of the current piece: a header, a block, a checksum
	blocks  bool  // blocks of a frame follow
	summed  bool  // a checksum follows the blocks
	another bool  // this is not the first frame
}

func openZstd(in *input, r *bufio.Reader) (*zstd.Decoder, error) {
	return zstd.NewReader(&zstdFrames{in: in, r: r}, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
}

func (z *zstdFrames) Read(p []byte) (int, error) {
	for z.left == 0 {
		if err := z.next(); err != nil {
			return 0, err
		}
	}
	n, err := z.r.Read(p[:min(int64(len(p)), z.left)])
	z.left -= int64(n)
	return n, err
}

// next determines the length of the next piece. A truncated piece is passed on unchanged.
func (z *zstdFrames) next() error {
	if z.blocks {
		const header = 3
		b, err := z.r.Peek(header)
		if len(b) < header {
			z.left = int64(len(b))
			return z.none(err)
		}
		about := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
		last, kind, size := about&1 != 0, about>>1&3, int64(about>>3)
		const repeated, sum = 1, 4
		if kind == repeated {
			size = 1
		}
		if z.left = header + size; last {
			z.blocks = false
			if z.summed {
				z.left += sum
			}
		}
		return nil
	}
	if z.another {
		if err := z.in.behind(z.r, Zstd); err != nil {
			return err
		}
	}
	z.another = true
	const magic, least, skippable = 4, 5, 8
	b, err := z.r.Peek(skippable)
	switch {
	case len(b) < least:
		z.left = int64(len(b))
		return z.none(err)
	case b[0]>>4 == 5 && len(b) == skippable: // a frame that is skipped
		z.left = skippable + int64(binary.LittleEndian.Uint32(b[magic:]))
		return nil
	}
	about := b[magic]
	z.left = least + int64([]int{0, 1, 2, 4}[about&3]) + int64([]int{0, 2, 4, 8}[about>>6])
	if single := about>>5&1 != 0; !single {
		z.left++ // the size of the window
	} else if about>>6 == 0 {
		z.left++ // the size of the content
	}
	z.blocks, z.summed = true, about>>2&1 != 0
	return nil
}

// none returns the error for a missing piece.
func (z *zstdFrames) none(err error) error {
	if z.left > 0 {
		return nil
	}
	return err
}
