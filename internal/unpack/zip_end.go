package unpack

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// Limits of a zip file's directory, which is held in memory. A zip file with one file in it has a few records.
const (
	maxZipRecords   = 10_000
	maxZipDirectory = 4 << 20 // bytes
)

// checkDirectory compares how many records a zip file says to have with the limit, before the library takes memory for
// so many. It looks at each end of a directory that the library may believe.
func checkDirectory(r io.ReaderAt, size int64) error {
	const (
		endSize  = 22
		mostTail = 65<<10 + locatorSize // where the library looks, and a locator before
	)
	tail := make([]byte, min(size, mostTail))
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return err
	}
	for at := 0; ; at++ {
		next := bytes.Index(tail[at:], []byte("PK\x05\x06"))
		if next < 0 || len(tail)-at-next < endSize {
			return nil
		}
		at += next
		records := uint64(binary.LittleEndian.Uint16(tail[at+10:]))
		if more, err := records64(r, size, tail[:at]); err != nil {
			return err
		} else if more > 0 {
			records = more
		}
		if records > maxZipRecords {
			return &Error{Zip, fmt.Sprintf("must have one file in it, but says that it has %d; unpack it", records)}
		}
	}
}

const locatorSize = 20

// records64 returns how many records the 64-bit end of a directory says, whose locator is the last of before; 0 when there
// is none.
func records64(r io.ReaderAt, size int64, before []byte) (uint64, error) {
	if len(before) < locatorSize || !bytes.HasPrefix(before[len(before)-locatorSize:], []byte("PK\x06\x07")) {
		return 0, nil
	}
	const endSize = 56
	at := binary.LittleEndian.Uint64(before[len(before)-locatorSize+8:])
	if at > uint64(size) || uint64(size)-at < endSize {
		return 0, nil // the library says what is wrong
	}
	end := make([]byte, endSize)
	if _, err := r.ReadAt(end, int64(at)); err != nil && err != io.EOF {
		return 0, err
	}
	return binary.LittleEndian.Uint64(end[32:]), nil
}

// directoryReader lets the library read so much of a file while it reads the directory: it goes on to the first record that is
// none, whatever the directory says of its size.
type directoryReader struct {
	*ranges
	left int64 // bytes; negative when the directory was read
	over bool  // it was longer
}

// ReadAt implements io.ReaderAt.
func (d *directoryReader) ReadAt(p []byte, at int64) (int, error) {
	if d.left >= 0 {
		if d.left -= int64(len(p)); d.left < 0 {
			d.left, d.over = 0, true
			return 0, io.ErrUnexpectedEOF
		}
	}
	return d.ranges.ReadAt(p, at)
}
