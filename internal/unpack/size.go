package unpack

import (
	"context"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/zstd"
)

// usualRatio is how much smaller than a table of people its compressed file is, where the file does not say.
const usualRatio = 5

// Size estimates how many bytes a file unpacks to from what it says of itself, which takes a few small reads. What a
// file says may be of its last or first part alone, or wrong: the estimate is at least the usual ratio where that is so,
// and never more than a file may have.
func Size(ctx context.Context, f File, m Method) (int64, error) {
	said, err := saidSize(ctx, f, m)
	if err != nil {
		return 0, err
	}
	if m != Zip {
		said = max(said, PackedSize(f.Size))
	}
	return min(said, max(f.Size*bombRatio, bombSize)), nil
}

// PackedSize is how many bytes a file of that size unpacks to as far as nothing is known of it.
func PackedSize(size int64) int64 { return size * usualRatio }

// saidSize returns the size that a file says, 0 when it says none.
func saidSize(ctx context.Context, f File, m Method) (int64, error) {
	switch m {
	case Gzip:
		var size [4]byte // of the last member, modulo 4 GiB
		if f.Size < int64(len(size)) {
			return 0, nil
		}
		err := readAt(ctx, f, size[:], f.Size-int64(len(size)))
		return int64(binary.LittleEndian.Uint32(size[:])), err
	case Zstd:
		head := make([]byte, min(f.Size, zstd.HeaderMaxSize))
		if err := readAt(ctx, f, head, 0); err != nil {
			return 0, err
		}
		var h zstd.Header
		if h.Decode(head) != nil || !h.HasFCS || h.FrameContentSize > 1<<62 {
			return 0, nil // reading it will tell what is wrong
		}
		return int64(h.FrameContentSize), nil
	case Zip:
		ranges := &ranges{ctx: ctx, file: f}
		defer ranges.close()
		member, _, err := onlyMember(ranges, f.Size)
		if err != nil || member.UncompressedSize64 > 1<<62 {
			return 0, err
		}
		return int64(member.UncompressedSize64), nil
	case None:
		return f.Size, nil
	}
	return 0, nil
}

// readAt reads a range.
func readAt(ctx context.Context, f File, p []byte, at int64) error {
	r, err := f.Open(ctx, at, int64(len(p)))
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.ReadFull(r, p)
	return err
}
