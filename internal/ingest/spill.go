package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"roster/internal/fault"
	"roster/internal/identity"
	"roster/internal/memory"
)

// A block is the unit in which records move from a worker to a bucket. Each worker has one open block per bucket. The
// more buckets there are, the smaller are the blocks.
const (
	minBlock = 4 << 10
	maxBlock = 32 << 10
)

// spill collects records in hash buckets. Bucket i contains the keys whose first bits are i, so the buckets in order
// contain the keys in order. The spill keeps as much in memory as the run's share allows. The rest is in one scratch
// file without a name, which the system removes when the process ends. A spill with a packing packs full blocks.
type spill struct {
	kind    recordKind
	shift   int // the bucket is the key's first 64 bits >> shift
	block   int // size of a block in bytes
	memory  *memory.Share
	packing *packing  // nil if blocks are not packed
	packers []*packer // one for each writer
	buckets []bucket
	file    *os.File
	end     atomic.Int64 // end of the scratch file
	free    sync.Pool
}

type bucket struct {
	mu      sync.Mutex
	blocks  []block   // in memory
	written []written // in the scratch file
	size    int64     // bytes of the records
	taken   int64     // bytes of memory of the blocks
}

// block contains complete records. It is packed if its data and its records differ in size.
type block struct {
	data   []byte
	size   int  // bytes of the records
	pooled bool // the data is a buffer of the pool
}

// written is a block in the scratch file.
type written struct {
	extent
	records int64 // bytes of the records
}

type extent struct {
	at   int64
	size int64
}

// spillPrefix is the prefix of the names of scratch files.
const spillPrefix = "spill-"

// newSpill returns a spill with 1<<logBuckets buckets, or with fewer if their blocks would be too small. The scratch
// file is in dir. There are as many writers as workers. Their open blocks use at most open bytes. Memory for full
// blocks is taken from the share. Blocks are packed if packing is not nil.
func newSpill(dir string, kind recordKind, packing *packing, logBuckets int, share *memory.Share, open int64, workers int) (*spill, error) {
	f, err := scratchFile(dir)
	if err != nil {
		return nil, err
	}
	for logBuckets > 0 && int(open)/workers>>logBuckets < minBlock {
		logBuckets--
	}
	block := min(max(int(open)/workers>>logBuckets, minBlock), maxBlock)
	s := &spill{kind: kind, shift: 64 - logBuckets, block: block, memory: share, packing: packing, buckets: make([]bucket, 1<<logBuckets), file: f}
	s.free.New = func() any { b := make([]byte, 0, block); return &b }
	return s, nil
}

// ClearScratch removes scratch files of killed processes. A process that is killed right after it created a file leaves
// the file's name. No run may be using the directory.
func ClearScratch(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), spillPrefix) {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

func (s *spill) close() error { return s.file.Close() }

// of returns the bucket of a key.
func (s *spill) of(k *identity.Key) int {
	return int(binary.BigEndian.Uint64(k[:8]) >> s.shift)
}

// writer returns a new writer of records. Each goroutine has its own writer, and must call flush at the end.
func (s *spill) writer() *spillWriter {
	w := &spillWriter{spill: s, open: make([][]byte, len(s.buckets))}
	if s.packing != nil {
		w.packer = newPacker(s.packing, len(s.packers))
		s.packers = append(s.packers, w.packer)
	}
	return w
}

type spillWriter struct {
	spill  *spill
	open   [][]byte // the open block of each bucket
	packer *packer  // nil if blocks are not packed
}

// largeRecord is the size from which a record is written to the scratch file at once, in bytes.
const largeRecord = 256 << 10

// write adds a record. A record larger than a block gets its own block.
func (w *spillWriter) write(k *identity.Key, rec []byte) error {
	i := w.spill.of(k)
	switch {
	case len(rec) > largeRecord:
		return w.spill.addLarge(i, rec)
	case len(rec) > w.spill.block:
		return w.add(i, rec, false)
	}
	b := w.open[i]
	if len(b)+len(rec) > cap(b) {
		if len(b) > 0 {
			if err := w.add(i, b, true); err != nil {
				return err
			}
		}
		b = (*w.spill.free.Get().(*[]byte))[:0]
	}
	w.open[i] = append(b, rec...)
	return nil
}

// flush moves the writer's open blocks to their buckets.
func (w *spillWriter) flush() error {
	for i, b := range w.open {
		if len(b) == 0 {
			continue
		}
		if err := w.add(i, b, true); err != nil {
			return err
		}
		w.open[i] = nil
	}
	return nil
}

// add adds records to a bucket as a block, packed if that makes the block smaller. pooled means that the records are in
// a buffer of the pool, which add takes over.
func (w *spillWriter) add(i int, records []byte, pooled bool) error {
	if w.packer != nil {
		if packed := w.packer.pack(records); len(packed) < len(records) {
			if pooled {
				w.spill.free.Put(&records)
			}
			return w.spill.add(i, block{packed, len(records), false})
		}
	}
	return w.spill.add(i, block{records, len(records), pooled})
}

// addLarge writes a large record of a bucket to the scratch file.
func (s *spill) addLarge(i int, rec []byte) error {
	bu, size := &s.buckets[i], int64(len(rec))
	e := extent{s.end.Add(size) - size, size}
	bu.mu.Lock()
	bu.written, bu.size = append(bu.written, written{e, size}), bu.size+size
	bu.mu.Unlock()
	return s.writeAt(rec, e.at)
}

// add adds a block to a bucket. If there is no memory for the block, add writes the bucket to the scratch file. Data that
// is not in a buffer of the pool is copied.
func (s *spill) add(i int, b block) error {
	bu := &s.buckets[i]
	bu.mu.Lock()
	defer bu.mu.Unlock()
	bu.size += int64(b.size)
	memory := int64(cap(b.data))
	if !b.pooled {
		memory = int64(len(b.data)) * 17 / 16 // with the rounding of the allocator
	}
	if !s.memory.Take(memory) {
		bu.blocks = append(bu.blocks, b)
		return s.writeOut(bu)
	}
	if bu.taken += memory; !b.pooled {
		b.data = slices.Clone(b.data)
	}
	bu.blocks = append(bu.blocks, b)
	return nil
}

// writeOut moves the blocks of a bucket to the scratch file. The caller holds the bucket's lock.
func (s *spill) writeOut(bu *bucket) error {
	size := int64(0)
	for _, b := range bu.blocks {
		size += int64(len(b.data))
	}
	at := s.end.Add(size) - size
	for _, b := range bu.blocks {
		if err := s.writeAt(b.data, at); err != nil {
			return err
		}
		bu.written = append(bu.written, written{extent{at, int64(len(b.data))}, int64(b.size)})
		at += int64(len(b.data))
	}
	s.releaseBlocks(bu)
	return nil
}

// releaseBlocks releases the memory of a bucket's blocks.
func (s *spill) releaseBlocks(bu *bucket) {
	for _, b := range bu.blocks {
		if b.pooled {
			s.free.Put(&b.data)
		}
	}
	clear(bu.blocks)
	bu.blocks = bu.blocks[:0]
	s.memory.Give(bu.taken)
	bu.taken = 0
}

// load reads the records of a bucket into buf, which may grow, and returns it.
func (s *spill) load(i int, buf []byte, u *unpacker) ([]byte, error) {
	bu := &s.buckets[i]
	buf = roomFor(buf, int(bu.size)+slack)
	for _, w := range bu.written {
		var err error
		if buf, err = s.read(w, buf, u); err != nil {
			return nil, err
		}
	}
	for _, b := range bu.blocks {
		var err error
		if buf, err = s.appendRecords(buf, b, u); err != nil {
			return nil, err
		}
	}
	return buf, nil
}

// read appends the records of a written block to buf, which has room for them.
func (s *spill) read(w written, buf []byte, u *unpacker) ([]byte, error) {
	if w.size == w.records {
		at := len(buf)
		buf = buf[:at+int(w.size)]
		return buf, s.readAt(buf[at:], w.at)
	}
	u.read = slices.Grow(u.read[:0], int(w.size))[:w.size]
	if err := s.readAt(u.read, w.at); err != nil {
		return nil, err
	}
	return u.unpack(buf, u.read, s.packers)
}

// appendRecords appends the records of a block to buf, which has room for them.
func (s *spill) appendRecords(buf []byte, b block, u *unpacker) ([]byte, error) {
	if len(b.data) == b.size {
		return append(buf, b.data...), nil
	}
	return u.unpack(buf, b.data, s.packers)
}

// release releases the blocks of a bucket. The bucket cannot be loaded again.
func (s *spill) release(i int) { s.releaseBlocks(&s.buckets[i]) }

// roomFor returns an empty buffer for n bytes. It reuses buf unless buf is too small or far too large.
func roomFor(buf []byte, n int) []byte {
	if cap(buf) < n || cap(buf) > max(8*n, leastPart) {
		buf = make([]byte, 0, n+n/8)
	}
	return buf[:0]
}

// writeAt writes to the scratch file.
func (s *spill) writeAt(p []byte, at int64) error {
	err := fault.At("spill.write")
	if err == nil {
		_, err = s.file.WriteAt(p, at)
	}
	if err == nil {
		err = fault.At("spill.write" + fault.Done)
	}
	if err != nil {
		return fmt.Errorf("write the scratch file: %w", err)
	}
	return nil
}

// readAt reads from the scratch file.
func (s *spill) readAt(p []byte, at int64) error {
	err := fault.At("spill.read")
	if err == nil {
		_, err = s.file.ReadAt(p, at)
	}
	if err != nil {
		return fmt.Errorf("read the scratch file: %w", err)
	}
	return nil
}

// bounds returns the range [lo, hi) of the keys of a bucket. For the last bucket, hi is nil.
func (s *spill) bounds(i int) (lo identity.Key, hi *identity.Key) {
	binary.BigEndian.PutUint64(lo[:8], uint64(i)<<s.shift)
	if i+1 < len(s.buckets) {
		hi = new(identity.Key)
		binary.BigEndian.PutUint64(hi[:8], uint64(i+1)<<s.shift)
	}
	return lo, hi
}

// logBucketsFor returns the number of key bits that select a bucket, so that each bucket has about target of the given
// bytes of records.
func logBucketsFor(bytes, target int64) int {
	if bytes <= target {
		return 0
	}
	return min(bits.Len64(uint64((bytes-1)/target)), 12)
}
