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

// Every file of a table has a file of checksums beside it, NAME.sum. It is written when the file is closed, and each read
// of the file is checked by it, whatever reads: the footer and the pages of Parquet, Iceberg's metadata, deltas, rejects.
// arrow-go neither writes nor checks the checksums that Parquet has for pages, and they leave footers and page headers out.
//
//	magic   8 bytes "RSTSUMS1"
//	size    8 bytes, of the file
//	whole  16 bytes, xxh3-128 of the file
//	blocks  8 bytes each, xxh3-64 of each block of the file
//	own     8 bytes, xxh3-64 of all before
//
// A file of checksums is not synced: after a crash of the machine it may be cut off. One that is absent or not whole says
// nothing about its file, which is read unchecked until a scrub writes the checksums anew. Files of versions of Roster before
// checksums are such files. The names of data files and of position deletes end with the hash of their content.

const (
	sumsSuffix = ".sum"
	sumsMagic  = "RSTSUMS1"
	sumsHead   = 8 + 8 + 16
	// sumsBlock is what is read and checked at a time at least.
	sumsBlock = 32 << 10
)

// ErrDamaged says that a file of a table is not what was written, or is gone.
var ErrDamaged = errors.New("lake: a file is damaged")

// damagedError is an ErrDamaged that clients may see: it names the file below the lake.
type damagedError struct {
	place string
	shown *audience.Error
	cause error
}

func (e *damagedError) Error() string { return e.shown.Message }

func (e *damagedError) Unwrap() []error { return []error{e.shown, ErrDamaged, e.cause} }

// damaged returns the error about a damaged file.
func damaged(path string, cause error) error {
	if errors.Is(cause, ErrDamaged) {
		return cause
	}
	place := placeOf(path)
	return &damagedError{place, audience.Errorf(audience.Internal, "the file %s is damaged: %v. %s", place, cause, remedy(path)), cause}
}

// remedy says what to do about a damaged file.
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

// placeOf is a path below the directory of all tables: NAMESPACE/AUDIENCE/{metadata,data,roster,sorted}/...
func placeOf(p string) string {
	parts := strings.Split(p, "/")
	for i := len(parts) - 2; i > 1; i-- {
		if slices.Contains([]string{"metadata", "data", "roster", sortedFolder}, parts[i]) {
			return "lake/" + strings.Join(parts[i-2:], "/")
		}
	}
	return path.Base(p)
}

// unreadable turns what went wrong in reading a table's file into ErrDamaged, unless the system failed or the error says what another
// program did to the table.
func unreadable(canceled error, location string, err error) error {
	var at *fs.PathError
	if err == nil || canceled != nil || errors.Is(err, ErrDamaged) || errors.As(err, new(*systemError)) || errors.As(err, new(*audience.Error)) || errors.As(err, &at) {
		return err
	}
	path, perr := pathOf(location)
	if perr != nil {
		return err
	}
	return damaged(path, err)
}

// opened returns the error of opening a file: one that is gone is damaged, otherwise the system failed.
func opened(path string, err error) error {
	if errors.Is(err, blob.ErrNotExist) {
		return damaged(path, missingError{err})
	}
	if errors.Is(err, ErrDamaged) {
		return err
	}
	return &systemError{err}
}

// systemError is what the store could not do.
type systemError struct{ error }

func (e *systemError) Unwrap() error { return e.error }

// missingError is fs.ErrNotExist without the path, which clients are not to see.
type missingError struct{ cause error }

func (e missingError) Error() string { return "it is missing" }
func (e missingError) Unwrap() error { return e.cause }

// sums are the checksums of a file.
type sums struct {
	size   int64
	whole  [16]byte
	blocks []uint64
}

// summer makes the checksums of what is written to it.
type summer struct {
	size  int64
	whole *xxh3.Hasher128
	block *xxh3.Hasher
	in    int // bytes of the block that is not whole
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

// end returns the checksums; nothing is written afterwards.
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

// writeSums writes the checksums of a file beside it.
func writeSums(store blob.Store, path string, s *sums) error {
	_, err := blob.Put(context.Background(), store, path+sumsSuffix, bytes.NewReader(s.encode()), nil, blob.CreateOptions{Volatile: true})
	return err
}

// readSums reads the checksums of a file; nil when there are none that are whole.
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

// hashOfName returns the hash that ends the name of a file; false when the name has none.
func hashOfName(p string) (whole [16]byte, ok bool) {
	name := strings.TrimSuffix(path.Base(p), ".parquet")
	_, text, found := strings.Cut(name, "."+hashPrefix)
	b, err := hex.DecodeString(text)
	if !found || err != nil || len(b) != len(whole) {
		return whole, false
	}
	return [16]byte(b), true
}

// hashPrefix begins the hash in the name of a file: UUID.xxh3-HASH.parquet.
const hashPrefix = "xxh3-"

// nameByHash returns the path of a Parquet file with the hash of its content in the name.
func nameByHash(path string, whole [16]byte) string {
	return strings.TrimSuffix(path, ".parquet") + "." + hashPrefix + hex.EncodeToString(whole[:]) + ".parquet"
}

// sumFile is a file that is read; what it has checksums for is checked. It is safe for concurrent use, except for Read and
// Seek.
type sumFile struct {
	f    blob.File
	path string
	sums *sums // nil when nothing is known
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

// openKnown opens a file whose checksums were read before: files never change.
func (fs files) openKnown(path string, s *sums) (*sumFile, error) {
	f, err := fs.store.OpenFile(context.Background(), path)
	if err != nil {
		return nil, err
	}
	return summed(f, path, s)
}

// summed is an open file that is checked by its checksums, if it has any.
func summed(f blob.File, path string, s *sums) (*sumFile, error) {
	out := &sumFile{f: f, path: path, sums: s}
	if err := out.checkSize(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return out, nil
}

// restoreSums makes the checksums of a file again when its name tells that it is what was written; nil otherwise.
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
	_ = writeSums(fs.store, path, made) // made again at the next time otherwise
	return made, nil
}

// checkSize compares the size, and the hash in the name with that of the checksums.
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

// fileInfo says how large a file is.
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

// blocks are buffers for blocks that are not wanted whole.
var blocks = sync.Pool{New: func() any { return new([sumsBlock]byte) }}

// ReadAt implements io.ReaderAt. It reads whole blocks, those at the ends beside what is asked for.
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

// whole reads as many whole blocks as p has room for, at once.
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

// part reads a part of a block.
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

// fill reads all of p.
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

// unread is an error of the store, and no damage.
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
