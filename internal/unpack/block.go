package unpack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codec is a compression method of Parquet pages.
type Codec uint8

// The codecs.
const (
	Stored Codec = iota
	SnappyBlock
	GzipBlock
	BrotliBlock
	LZ4Frames // LZ4 blocks, each preceded by its sizes as in Hadoop, or a single block without sizes
	ZstdBlock
	LZ4Block
)

var errBlockSize = errors.New("its decompressed size differs from the declared size")

// Plausible reports whether the packed bytes can decompress to that many plain bytes at all. Call it before you
// allocate memory. For zstd and brotli every size is plausible.
func (c Codec) Plausible(packed, plain int64) bool {
	const header = 64
	switch c {
	case Stored:
		return packed == plain
	case SnappyBlock:
		return plain <= 64*packed+header
	case GzipBlock:
		return plain <= 1032*packed+header
	case LZ4Frames, LZ4Block:
		return plain <= 255*packed+header
	}
	return true
}

// Block decompresses src into dst, whose length must be the decompressed size. It allocates only the codec's tables.
func (c Codec) Block(dst, src []byte) error {
	if len(dst) == 0 && len(src) == 0 {
		return nil
	}
	switch c {
	case Stored:
		if copy(dst, src) != len(src) || len(src) != len(dst) {
			return errBlockSize
		}
		return nil
	case SnappyBlock:
		if n, err := snappy.DecodedLen(src); err != nil || n != len(dst) {
			return errBlockSize
		}
		_, err := snappy.Decode(dst, src)
		return err
	case ZstdBlock:
		out, err := zstdBlocks().DecodeAll(src, dst[:0:len(dst)])
		if err == nil && len(out) != len(dst) {
			err = errBlockSize
		}
		return err
	case LZ4Block:
		return lz4Block(dst, src)
	case LZ4Frames:
		if lz4Frames(dst, src) == nil {
			return nil
		}
		return lz4Block(dst, src)
	}
	r, end, err := c.Stream(bytes.NewReader(src))
	if err != nil {
		return err
	}
	defer end()
	if _, err := io.ReadFull(r, dst); err != nil {
		return err
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return errBlockSize
	}
	return nil
}

// Streams reports whether Stream supports the codec.
func (c Codec) Streams() bool {
	return c == Stored || c == GzipBlock || c == BrotliBlock || c == ZstdBlock
}

// Stream decompresses r as a stream. The caller must call end.
func (c Codec) Stream(r io.Reader) (out io.Reader, end func(), err error) {
	switch c {
	case Stored:
		return r, func() {}, nil
	case GzipBlock:
		z, err := gzip.NewReader(r)
		return z, func() {}, err
	case BrotliBlock:
		return brotli.NewReader(r), func() {}, nil
	case ZstdBlock:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return nil, nil, fmt.Errorf("unpack: codec %d does not support streams", c)
}

// zstdBlocks decompresses blocks into the given memory and never allocates more.
var zstdBlocks = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderLowmem(true), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		panic(err) // the options are constant
	}
	return d
})

func lz4Block(dst, src []byte) error {
	n, err := lz4.UncompressBlock(src, dst)
	if err == nil && n != len(dst) {
		err = errBlockSize
	}
	return err
}

// lz4Frames decompresses blocks that are each preceded by their decompressed and compressed size.
func lz4Frames(dst, src []byte) error {
	const sizes = 8
	for len(src) > 0 {
		if len(src) < sizes {
			return errBlockSize
		}
		plain, packed := uint64(binary.BigEndian.Uint32(src)), uint64(binary.BigEndian.Uint32(src[4:]))
		src = src[sizes:]
		if packed > uint64(len(src)) || plain > uint64(len(dst)) {
			return errBlockSize
		}
		if err := lz4Block(dst[:plain], src[:packed]); err != nil {
			return err
		}
		dst, src = dst[plain:], src[packed:]
	}
	if len(dst) > 0 {
		return errBlockSize
	}
	return nil
}
