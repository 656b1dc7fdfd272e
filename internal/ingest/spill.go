package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"roster/internal/fault"
	"roster/internal/profile"
)

// A block is the unit in which records move from a worker to a bucket. Each worker has one open for each bucket:
// the more there are, the smaller they are.
const (
	minBlock = 4 << 10
	maxBlock = 32 << 10
)

// spill collects records in hash buckets: bucket i holds the keys whose first bits are i, so that the buckets
// in their order are the keys in theirs. It keeps up to budget bytes in memory and the rest in one scratch
// file that has no name any more, so that it goes with the process whatever happens.
type spill struct {
	shift   int // key's first 64 bits >> shift is the bucket
	block   int // bytes of a block
	budget  int64
	buckets []bucket
	file    *os.File
	end     atomic.Int64 // end of the scratch file
	held    atomic.Int64 // bytes of blocks in memory
	free    sync.Pool
}

type bucket struct {
	mu      sync.Mutex
	blocks  [][]byte
	extents []extent
	size    int64
}

type extent struct {
	at   int64
	size int64
}

// spillPrefix begins the names of scratch files.
const spillPrefix = "spill-"

// newSpill returns a spill of 1<<logBuckets buckets with its scratch file in dir, for as many writers as workers.
// The open blocks of all of them take up to a quarter of the budget.
func newSpill(dir string, logBuckets int, budget int64, workers int) (*spill, error) {
	if err := fault.At("spill.create"); err != nil {
		return nil, fmt.Errorf("create a scratch file: %w", err)
	}
	f, err := os.CreateTemp(dir, spillPrefix+"*")
	if err != nil {
		return nil, fmt.Errorf("create a scratch file: %w", err)
	}
	if err := errors.Join(fault.At("spill.create"+fault.Done), os.Remove(f.Name())); err != nil {
		return nil, errors.Join(fmt.Errorf("unlink the scratch file: %w", err), f.Close())
	}
	block := min(max(int(budget/4)/workers>>logBuckets, minBlock), maxBlock)
	s := &spill{shift: 64 - logBuckets, block: block, budget: budget, buckets: make([]bucket, 1<<logBuckets), file: f}
	s.free.New = func() any { b := make([]byte, 0, block); return &b }
	return s, nil
}

// ClearScratch removes the scratch files of runs whose process was killed before the file had lost its name. No run may
// be using the directory.
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
func (s *spill) of(k *profile.Key) int {
	return int(binary.BigEndian.Uint64(k[:8]) >> s.shift)
}

// writer returns a new writer of records. Each goroutine has its own; flush must be called at its end.
func (s *spill) writer() *spillWriter {
	return &spillWriter{spill: s, open: make([][]byte, len(s.buckets))}
}

type spillWriter struct {
	spill *spill
	open  [][]byte // the block being filled, per bucket
}

// write adds a record.
func (w *spillWriter) write(k *profile.Key, rec []byte) error {
	i := w.spill.of(k)
	b := w.open[i]
	if len(b)+len(rec) > cap(b) {
		if len(b) > 0 {
			if err := w.spill.add(i, b); err != nil {
				return err
			}
		}
		if len(rec) > w.spill.block {
			b = make([]byte, 0, len(rec))
		} else {
			b = *w.spill.free.Get().(*[]byte)
		}
	}
	w.open[i] = append(b, rec...)
	return nil
}

// flush hands the writer's open blocks to their buckets.
func (w *spillWriter) flush() error {
	for i, b := range w.open {
		if len(b) == 0 {
			continue
		}
		if err := w.spill.add(i, b); err != nil {
			return err
		}
		w.open[i] = nil
	}
	return nil
}

// add gives a block to a bucket and, when the spill holds more than its budget, writes the bucket out.
func (s *spill) add(i int, block []byte) error {
	bu := &s.buckets[i]
	bu.mu.Lock()
	defer bu.mu.Unlock()
	bu.blocks = append(bu.blocks, block)
	bu.size += int64(len(block))
	if s.held.Add(int64(cap(block))) <= s.budget {
		return nil
	}
	return s.writeOut(bu)
}

// writeOut moves a bucket's blocks to the scratch file. The bucket is locked.
func (s *spill) writeOut(bu *bucket) error {
	size := int64(0)
	for _, b := range bu.blocks {
		size += int64(len(b))
	}
	at := s.end.Add(size) - size
	bu.extents = append(bu.extents, extent{at, size})
	for _, b := range bu.blocks {
		if err := fault.At("spill.write"); err != nil {
			return fmt.Errorf("write the scratch file: %w", err)
		}
		if _, err := s.file.WriteAt(b, at); err != nil {
			return fmt.Errorf("write the scratch file: %w", err)
		}
		if err := fault.At("spill.write" + fault.Done); err != nil {
			return fmt.Errorf("write the scratch file: %w", err)
		}
		at += int64(len(b))
		s.recycle(b)
	}
	bu.blocks = bu.blocks[:0]
	return nil
}

func (s *spill) recycle(b []byte) {
	s.held.Add(-int64(cap(b)))
	if cap(b) == s.block {
		b = b[:0]
		s.free.Put(&b)
	}
}

// load reads a bucket's records into buf, which it grows and returns. With release the bucket gives up its
// blocks; it cannot be loaded again.
func (s *spill) load(i int, buf []byte, release bool) ([]byte, error) {
	bu := &s.buckets[i]
	if bu.size > math.MaxUint32 {
		return nil, fmt.Errorf("hash bucket %d of %d holds %d bytes, more than 4 GiB", i, len(s.buckets), bu.size)
	}
	if int64(cap(buf)) < bu.size {
		buf = make([]byte, 0, bu.size+bu.size/8)
	}
	buf = buf[:0]
	for _, e := range bu.extents {
		part := buf[len(buf) : len(buf)+int(e.size)]
		if err := fault.At("spill.read"); err != nil {
			return nil, fmt.Errorf("read the scratch file: %w", err)
		}
		if _, err := s.file.ReadAt(part, e.at); err != nil {
			return nil, fmt.Errorf("read the scratch file: %w", err)
		}
		buf = buf[:len(buf)+int(e.size)]
	}
	for _, b := range bu.blocks {
		buf = append(buf, b...)
		if release {
			s.recycle(b)
		}
	}
	if release {
		bu.blocks = nil
	}
	return buf, nil
}

// bounds returns the range of keys of a bucket: from lo up to hi, which is nil for the last one.
func (s *spill) bounds(i int) (lo profile.Key, hi *profile.Key) {
	binary.BigEndian.PutUint64(lo[:8], uint64(i)<<s.shift)
	if i+1 < len(s.buckets) {
		hi = new(profile.Key)
		binary.BigEndian.PutUint64(hi[:8], uint64(i+1)<<s.shift)
	}
	return lo, hi
}

// logBucketsFor returns how many bits of the key to route by, for the given bytes of records, so that a
// bucket is about target bytes.
func logBucketsFor(bytes, target int64) int {
	if bytes <= target {
		return 0
	}
	return min(bits.Len64(uint64((bytes-1)/target)), 12)
}
