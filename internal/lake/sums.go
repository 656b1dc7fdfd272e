package lake

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zeebo/xxh3"

	"roster/internal/audience"
	"roster/internal/blob"
)

// Every file of a table has a file of checksums beside it, NAME.sum, which is written when the file is closed. Every
// read of the file is checked, for all kinds of content: footers and pages of Parquet, Iceberg's metadata, deltas,
// rejects. arrow-go neither writes nor checks Parquet's own checksums of pages. These would not cover footers and page
// headers.
//
//	magic   8 bytes "RSTSUMS1"
//	size    8 bytes, of the file
//	whole  16 bytes, xxh3-128 of the file
//	blocks  8 bytes each, xxh3-64 of each block of the file
//	own     8 bytes, xxh3-64 of all preceding bytes
//
// A file of checksums is not synced, so it may be truncated after a crash of the machine. If it is absent or
// incomplete, its file is read unchecked until a scrub writes new checksums. Files of early versions of Roster have no
// checksums. The names of data files and of position deletes end with the hash of their content.

const (
	sumsSuffix = ".sum"
	sumsMagic  = "RSTSUMS1"
	sumsHead   = 8 + 8 + 16
	// sumsBlock is the smallest unit that is read and checked, in bytes.
	sumsBlock = 32 << 10
)

// ErrDamaged means that the content of a table's file is not what was written, or that the file is gone.
var ErrDamaged = errors.New("lake: a file is damaged")

// damagedError is an ErrDamaged that clients may see. It contains the path of the file below the directory of all
// tables.
type damagedError struct {
	place string
	shown *audience.Error
	cause error
}

func (e *damagedError) Error() string { return e.shown.Message }

func (e *damagedError) Unwrap() []error { return []error{e.shown, ErrDamaged, e.cause} }

// damaged returns the error for a damaged file, of which p is the path or the location.
func damaged(p string, cause error) error {
	if errors.Is(cause, ErrDamaged) {
		return cause
	}
	place := placeOf(p)
	return &damagedError{place, audience.Errorf(audience.Internal, "the file %s is damaged: %v. %s", place, cause, remedy(p)), cause}
}

// remedy returns the advice for a damaged file.
func remedy(p string) string {
	dir, name := path.Base(path.Dir(p)), path.Base(p)
	switch {
	case strings.HasSuffix(name, ".metadata.json"):
		return "Restore this file from a backup"
	case dir == "metadata" || path.Base(path.Dir(path.Dir(p))) == "data":
		return "Start a full run of the audience, which replaces its files, or restore this file from a backup"
	}
	return "Restore this file from a backup"
}

// placeOf returns the part of a path or location that clients may see: lake/NAMESPACE/AUDIENCE/{metadata,data,roster,sorted}/...
func placeOf(p string) string {
	parts := strings.Split(p, "/")
	for i := len(parts) - 2; i > 1; i-- {
		if slices.Contains([]string{"metadata", "data", "roster", sortedFolder}, parts[i]) {
			return "lake/" + strings.Join(parts[i-2:], "/")
		}
	}
	return path.Base(p)
}

// unreadable converts an error of reading a table's file to ErrDamaged. Errors of the system, and errors that describe
// a change by another program, are returned unchanged.
func unreadable(canceled error, location string, err error) error {
	var at *fs.PathError
	if err == nil || canceled != nil || errors.Is(err, ErrDamaged) || errors.As(err, new(*systemError)) || errors.As(err, new(*audience.Error)) || errors.As(err, &at) {
		return err
	}
	return damaged(location, err)
}

// opened converts an error of opening a file. A missing file is damage. Any other error is an error of the system.
func opened(path string, err error) error {
	if errors.Is(err, blob.ErrNotExist) {
		return damaged(path, missingError{err})
	}
	if errors.Is(err, ErrDamaged) {
		return err
	}
	return &systemError{err}
}

// systemError is an error of the store.
type systemError struct{ error }

func (e *systemError) Unwrap() error { return e.error }

// missingError is fs.ErrNotExist without the path, which clients must not see.
type missingError struct{ cause error }

func (e missingError) Error() string { return "it is missing" }
func (e missingError) Unwrap() error { return e.cause }

// sums are the checksums of a file.
type sums struct {
	size   int64
	whole  [16]byte
	blocks []uint64
}

// summer computes the checksums of the bytes that are written to it.
type summer struct {
	size  int64
	whole *xxh3.Hasher128
	block *xxh3.Hasher
	in    int // bytes of the incomplete block
	sums  []uint64
}

func newSummer() *summer { return &summer{whole: xxh3.New128(), block: xxh3.New()} }

func (s *summer) Write(p []byte) (int, error) {
	n := len(p)
	s.size += int64(n)
	_, _ = s.whole.Write(p)
	for len(p) > 0 {
		part := p[:min(len(p), sumsBlock-s.in)]
		p = p[len(part):]
		if s.in == 0 && len(part) == sumsBlock {
			s.sums = append(s.sums, xxh3.Hash(part))
			continue
		}
		_, _ = s.block.Write(part)
		if s.in += len(part); s.in == sumsBlock {
			s.endBlock()
		}
	}
	return n, nil
}

func (s *summer) endBlock() {
	s.sums = append(s.sums, s.block.Sum64())
	s.block.Reset()
	s.in = 0
}

// end returns the checksums. The summer must not be used afterwards.
func (s *summer) end() *sums {
	if s.in > 0 {
		s.endBlock()
	}
	return &sums{size: s.size, whole: s.whole.Sum128().Bytes(), blocks: s.sums}
}

// encode returns the content of the file of checksums.
func (s *sums) encode() []byte {
	b := make([]byte, 0, sumsHead+8*len(s.blocks)+8)
	b = append(b, sumsMagic...)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.size))
	b = append(b, s.whole[:]...)
	for _, sum := range s.blocks {
		b = binary.LittleEndian.AppendUint64(b, sum)
	}
	return binary.LittleEndian.AppendUint64(b, xxh3.Hash(b))
}

// writeSums writes the checksums of a file beside the file.
func writeSums(store blob.Store, path string, s *sums) error {
	_, err := blob.Put(context.Background(), store, path+sumsSuffix, bytes.NewReader(s.encode()), nil, blob.CreateOptions{Volatile: true})
	return err
}

// readSums reads the checksums of a file. The result is nil if they are absent or incomplete.
func (fs files) readSums(path string) (*sums, error) {
	b, err := blob.Get(context.Background(), fs.store, path+sumsSuffix)
	if errors.Is(err, blob.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	n := len(b) - 8
	if n < sumsHead || n%8 != 0 || string(b[:8]) != sumsMagic || binary.LittleEndian.Uint64(b[n:]) != xxh3.Hash(b[:n]) {
		return nil, nil
	}
	s := &sums{size: int64(binary.LittleEndian.Uint64(b[8:])), whole: [16]byte(b[16:])}
	for at := sumsHead; at < n; at += 8 {
		s.blocks = append(s.blocks, binary.LittleEndian.Uint64(b[at:]))
	}
	if int64(len(s.blocks)) != (s.size+sumsBlock-1)/sumsBlock {
		return nil, nil
	}
	return s, nil
}

// hashOfName returns the hash at the end of a file's name; false if the name has none.
func hashOfName(p string) (whole [16]byte, ok bool) {
	name := strings.TrimSuffix(path.Base(p), ".parquet")
	_, text, found := strings.Cut(name, "."+hashPrefix)
	b, err := hex.DecodeString(text)
	if !found || err != nil || len(b) != len(whole) {
		return whole, false
	}
	return [16]byte(b), true
}

// hashPrefix is the text before the hash in the name of a file: UUID.xxh3-HASH.parquet.
const hashPrefix = "xxh3-"

// nameByHash returns the path of a Parquet file with the hash of its content in its name.
func nameByHash(path string, whole [16]byte) string {
	return strings.TrimSuffix(path, ".parquet") + "." + hashPrefix + hex.EncodeToString(whole[:]) + ".parquet"
}

// sumFile is an open file whose reads are checked by its checksums, if it has any. All methods except Read and Seek are
// safe for concurrent use.
type sumFile struct {
	f    blob.File
	path string
	sums *sums // nil if there are none
	at   int64
}

var _ File = (*sumFile)(nil)

// openSums opens a file of a table and its checksums.
func (fs files) openSums(path string) (*sumFile, error) {
	f, err := fs.store.OpenFile(context.Background(), path)
	if err != nil {
		return nil, err
	}
	s, err := fs.readSums(path)
	if err == nil && s == nil {
		s, err = fs.restoreSums(f, path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return summed(f, path, s)
}

// openKnown opens a file whose checksums were read before. Files never change.
func (fs files) openKnown(path string, s *sums) (*sumFile, error) {
	f, err := fs.store.OpenFile(context.Background(), path)
	if err != nil {
		return nil, err
	}
	return summed(f, path, s)
}

// summed returns a file whose reads are checked by the checksums, if there are any.
func summed(f blob.File, path string, s *sums) (*sumFile, error) {
	out := &sumFile{f: f, path: path, sums: s}
	if err := out.checkSize(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return out, nil
}

// restoreSums recreates the checksums of a file if the content matches the hash in the file's name. A name without a
// hash gives nil.
func (fs files) restoreSums(f blob.File, path string) (*sums, error) {
	want, ok := hashOfName(path)
	if !ok {
		return nil, nil
	}
	s := newSummer()
	if _, err := io.Copy(s, io.NewSectionReader(f, 0, f.Size())); err != nil {
		return nil, err
	}
	made := s.end()
	if made.whole != want {
		return nil, damaged(path, errors.New("its content does not match the hash in its name"))
	}
	_ = writeSums(fs.store, path, made) // after an error, the next call writes them
	return made, nil
}

// checkSize checks the size of the file, and the hash in its name.
func (f *sumFile) checkSize() error {
	if f.sums == nil {
		return nil
	}
	if size := f.f.Size(); size != f.sums.size {
		return damaged(f.path, fmt.Errorf("it has %d bytes, not the %d that were written", size, f.sums.size))
	}
	if whole, ok := hashOfName(f.path); ok && whole != f.sums.whole {
		return damaged(f.path, errors.New("its checksums are those of another file"))
	}
	return nil
}

// Stat implements fs.File.
func (f *sumFile) Stat() (fs.FileInfo, error) { return fileInfo{path.Base(f.path), f.f.Size()}, nil }

// Close implements io.Closer.
func (f *sumFile) Close() error { return f.f.Close() }

// fileInfo contains the name and size of a file.
type fileInfo struct {
	name string
	size int64
}

var _ fs.FileInfo = fileInfo{}

func (i fileInfo) Name() string     { return i.name }
func (i fileInfo) Size() int64      { return i.size }
func (fileInfo) Mode() fs.FileMode  { return 0o600 }
func (fileInfo) ModTime() time.Time { return time.Time{} }
func (fileInfo) IsDir() bool        { return false }
func (fileInfo) Sys() any           { return nil }

// Seek implements io.Seeker.
func (f *sumFile) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.at
	case io.SeekEnd:
		offset += f.f.Size()
	}
	if offset < 0 {
		return 0, fs.ErrInvalid
	}
	f.at = offset
	return offset, nil
}

// Read implements io.Reader.
func (f *sumFile) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.at)
	f.at += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// blocks contains buffers for blocks of which only a part is needed.
var blocks = sync.Pool{New: func() any { return new([sumsBlock]byte) }}

// ReadAt implements io.ReaderAt. It reads and checks whole blocks, including those that p covers in part.
func (f *sumFile) ReadAt(p []byte, off int64) (n int, err error) {
	if f.sums == nil || off < 0 {
		n, err := f.f.ReadAt(p, off)
		return n, unread(err)
	}
	for n < len(p) {
		at := off + int64(n)
		if at >= f.sums.size {
			return n, io.EOF
		}
		var got int
		if within := at % sumsBlock; within == 0 && int64(len(p)-n) >= min(sumsBlock, f.sums.size-at) {
			got, err = f.whole(p[n:], at)
		} else {
			got, err = f.part(p[n:], at, within)
		}
		if n += got; err != nil {
			return n, err
		}
	}
	return n, nil
}

// whole reads as many whole blocks as fit into p, in one read.
func (f *sumFile) whole(p []byte, at int64) (int, error) {
	size := int64(len(p))
	if size > f.sums.size-at {
		size = f.sums.size - at
	} else if at+size < f.sums.size {
		size -= size % sumsBlock
	}
	p = p[:size]
	if err := f.fill(p, at); err != nil {
		return 0, err
	}
	for done := int64(0); done < size; done += sumsBlock {
		if err := f.check(p[done:min(done+sumsBlock, size)], at+done); err != nil {
			return int(done), err
		}
	}
	return int(size), nil
}

// part reads one block and copies a part of it.
func (f *sumFile) part(p []byte, at, within int64) (int, error) {
	buf := blocks.Get().(*[sumsBlock]byte)
	defer blocks.Put(buf)
	first := at - within
	block := buf[:min(sumsBlock, f.sums.size-first)]
	if err := f.fill(block, first); err != nil {
		return 0, err
	}
	if err := f.check(block, first); err != nil {
		return 0, err
	}
	return copy(p, block[within:]), nil
}

// fill reads len(p) bytes.
func (f *sumFile) fill(p []byte, at int64) error {
	n, err := f.f.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == io.EOF {
		return damaged(f.path, fmt.Errorf("it ends at byte %d of %d", at+int64(n), f.sums.size))
	}
	return unread(err)
}

// unread returns an error of the store, which is not damage.
func unread(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &systemError{err}
}

func (f *sumFile) check(block []byte, at int64) error {
	if xxh3.Hash(block) == f.sums.blocks[at/sumsBlock] {
		return nil
	}
	return damaged(f.path, fmt.Errorf("bytes %d to %d do not match their checksum", at, at+int64(len(block))-1))
}
