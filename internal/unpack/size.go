package unpack

import (
	"context"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/zstd"
)

// usualRatio is the typical compression ratio of tables of people, for files that do not declare their size.
const usualRatio = 5

// Size estimates the decompressed size of a file from the size that the file declares, with a few small reads. The
// declared size may cover only the first or last part, or may be wrong: the estimate is then at least the usual ratio,
// and never more than the limit for a file.
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

// PackedSize estimates the decompressed size of a file only from its stored size.
func PackedSize(size int64) int64 { return size * usualRatio }

// saidSize returns the size that a file declares, 0 if none.
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
			return 0, nil // reading the file will report the problem
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
