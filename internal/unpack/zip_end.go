package unpack

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// Limits of a zip file's directory, which is read into memory. A zip file with one file has a few records.
const (
	maxZipRecords   = 10_000
	maxZipDirectory = 4 << 20 // bytes
)

// checkDirectory compares the declared number of records of a zip file with the limit, before the library allocates
// memory for them. It checks each end-of-directory record that the library may use.
func checkDirectory(r io.ReaderAt, size int64) error {
	const (
		endSize  = 22
		mostTail = 65<<10 + locatorSize // the region that the library searches, plus a locator before it
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

// records64 returns the number of records in the 64-bit end of a directory, whose locator is at the end of before; 0 if
// there is none.
func records64(r io.ReaderAt, size int64, before []byte) (uint64, error) {
	if len(before) < locatorSize || !bytes.HasPrefix(before[len(before)-locatorSize:], []byte("PK\x06\x07")) {
		return 0, nil
	}
	const endSize = 56
	at := binary.LittleEndian.Uint64(before[len(before)-locatorSize+8:])
	if at > uint64(size) || uint64(size)-at < endSize {
		return 0, nil // the library reports the problem
	}
	end := make([]byte, endSize)
	if _, err := r.ReadAt(end, int64(at)); err != nil && err != io.EOF {
		return 0, err
	}
	return binary.LittleEndian.Uint64(end[32:]), nil
}

// directoryReader limits how much of a file the library reads for the directory: the library continues to the first
// invalid record, whatever the declared size of the directory.
type directoryReader struct {
	*ranges
	left int64 // bytes; negative after the directory was read
	over bool  // the directory exceeded the limit
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
