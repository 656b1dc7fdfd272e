// Package unpack reads compressed and encrypted files. What a file is, its first bytes say, never its name; a file is unpacked
// whole or ends with an error, so that a file that was cut off is never taken for a shorter one.
//
// gzip, zstd and bzip2 files may have several members or frames one after the other, which are one text. Anything else
// behind a member is an error, but for white space, zero bytes and Control-Z. A zip file must have exactly one
// file in it, stored or deflated; folders and the notes that macOS adds below __MACOSX/ do not count, nor do hidden files and what
// is no data (audience.Incidental) beside others. Its directory may have 10,000
// records in 4 MiB.
//
// A file that unpacks to more than 1 GiB and to more than 1000 times its own size is refused as a decompression bomb.
// A zstd file that needs a window of more than 128 MiB, as one written with --long=28 does, is refused too.
package unpack

import (
	"bytes"
	"context"
	"fmt"
	"io"
)

// Method is a way to compress.
type Method string

// The methods. None is what is not compressed.
const (
	None  Method = "none"
	Gzip  Method = "gzip"
	Zstd  Method = "zstd"
	Bzip2 Method = "bzip2"
	Zip   Method = "zip"
	// PGP is encryption, inside of which another method may be.
	PGP Method = "PGP"
)

// File is a stored file.
type File struct {
	Size int64 // bytes
	// Open reads length bytes from offset; length -1 is to the end.
	Open func(ctx context.Context, offset, length int64) (io.ReadCloser, error)
	// Envelope opens an encrypted file; nil of a file that must not be encrypted.
	Envelope *Envelope
	// packed is the size of the encrypted file that the file comes from, 0 of another one.
	packed int64
}

// Error is a compressed or encrypted file that cannot be unpacked. Errors of whoever stores the file are never in one.
type Error struct {
	Method Method
	Reason string // what is wrong, and perhaps what to do, behind the words "the gzip file"
}

func (e *Error) Error() string { return fmt.Sprintf("the %s file %s", e.Method, e.Reason) }

// signatures are the first bytes of compressed files; # stands for a digit from 1 to 9. Those of bzip2 take in the
// beginning of a block, so that a text that begins with BZh is not mistaken for one.
var signatures = []struct {
	method Method
	bytes  string
}{
	{Gzip, "\x1f\x8b"},
	{Zstd, "\x28\xb5\x2f\xfd"},
	{Bzip2, "BZh#1AY&SY"},
	{Bzip2, "BZh#\x17\x72\x45\x38\x50\x90"}, // of an empty text
	{Zip, "PK\x03\x04"},
	{Zip, "PK\x05\x06"}, // without a file
}

// Detect returns how a file that begins with head is compressed. A head that is shorter than a signature is taken for
// the whole file: when it is the beginning of a signature and not by chance, it is a compressed file that was cut off.
func Detect(head []byte) Method {
	for _, s := range signatures {
		if begins(head, s.bytes) {
			return s.method
		}
	}
	if len(head) >= 4 && head[0]>>4 == 5 && bytes.Equal(head[1:4], []byte("\x2a\x4d\x18")) {
		return Zstd // it begins with a frame to be skipped
	}
	return None
}

// begins reports whether head begins with a signature, or is the beginning of one.
func begins(head []byte, signature string) bool {
	const chance = 3 // so many letters of a signature may be a short text
	text := true
	for i, c := range head[:min(len(head), len(signature))] {
		if s := signature[i]; c != s && (s != '#' || c < '1' || c > '9') {
			return false
		}
		text = text && ' ' <= c && c <= '~'
	}
	return len(head) >= len(signature) || len(head) >= chance || len(head) > 0 && !text
}
