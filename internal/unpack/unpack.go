// Package unpack reads compressed and encrypted files. It detects the kind of a file from the first bytes, never from
// the name. A file is read completely or ends with an error, so a truncated file is never mistaken for a shorter one.
//
// gzip, zstd and bzip2 files may have several members or frames one after the other, which form one text. Other data
// after a member is an error, except white space, zero bytes and Control-Z. A zip file must contain exactly one file,
// stored or deflated. Folders and the metadata of macOS below __MACOSX/ do not count; hidden files and files without
// data (audience.Incidental) do not count if there are others. The directory of a zip file may have up to 10,000
// records in 4 MiB.
//
// A file that decompresses to more than 1 GiB and to more than 1000 times its own size is refused as a decompression
// bomb. A zstd file with a window of more than 128 MiB, for example from --long=28, is refused too.
package unpack

import (
	"bytes"
	"context"
	"fmt"
	"io"
)

// Method is a compression method, or encryption.
type Method string

// The methods. None means not compressed.
const (
	None  Method = "none"
	Gzip  Method = "gzip"
	Zstd  Method = "zstd"
	Bzip2 Method = "bzip2"
	Zip   Method = "zip"
	// PGP is encryption. The decrypted file may use another method.
	PGP Method = "PGP"
)

// File is a stored file.
type File struct {
	Size int64 // bytes
	// Open reads length bytes from offset; length -1 reads to the end.
	Open func(ctx context.Context, offset, length int64) (io.ReadCloser, error)
	// Envelope decrypts an encrypted file; nil if the file must not be encrypted.
	Envelope *Envelope
	// packed is the size of the encrypted file that this file was decrypted from, else 0.
	packed int64
}

// Error says that a compressed or encrypted file cannot be read because of its content. Errors of the storage are never
// an Error.
type Error struct {
	Method Method
	Reason string // the problem, and perhaps the remedy, as a continuation of "the gzip file"
}

func (e *Error) Error() string { return fmt.Sprintf("the %s file %s", e.Method, e.Reason) }

// signatures are the first bytes of compressed files; # stands for a digit from 1 to 9. The signatures of bzip2 include
// the beginning of a block, so a text that begins with BZh does not match.
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

// Detect returns the compression of a file that begins with head. A head that is shorter than a signature is the whole
// file: if it matches the beginning of a signature, and not just by chance, the file is a truncated compressed file.
func Detect(head []byte) Method {
	for _, s := range signatures {
		if begins(head, s.bytes) {
			return s.method
		}
	}
	if len(head) >= 4 && head[0]>>4 == 5 && bytes.Equal(head[1:4], []byte("\x2a\x4d\x18")) {
		return Zstd // begins with a skippable frame
	}
	return None
}

// begins reports whether head begins with a signature, or is the beginning of one.
func begins(head []byte, signature string) bool {
	const chance = 3 // a short text may match so many bytes of a signature by chance
	text := true
	for i, c := range head[:min(len(head), len(signature))] {
		if s := signature[i]; c != s && (s != '#' || c < '1' || c > '9') {
			return false
		}
		text = text && ' ' <= c && c <= '~'
	}
	return len(head) >= len(signature) || len(head) >= chance || len(head) > 0 && !text
}
