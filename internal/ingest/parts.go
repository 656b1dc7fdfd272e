package ingest

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"roster/internal/audience"
	"roster/internal/fault"
	"roster/internal/identity"
)

// leastPart is the minimum amount that a worker sorts in memory at a time, in bytes, regardless of the memory budget.
const leastPart = 2 << 20

// recordKind defines the format and the order of the records of a spill.
type recordKind struct {
	head    int                  // number of first bytes of a record that determine its size and its order
	size    func(rec []byte) int // size of a record, from its head
	compare func(a, b []byte) int
}

// recordRows are rows (row.go), ordered by key and order.
var recordRows = recordKind{head: headSize, size: recordSize, compare: compareRecords}

// recordChanges are changes of the profile store (output.go), ordered by key and member.
var recordChanges = recordKind{head: changeSize, size: func([]byte) int { return changeSize },
	compare: func(a, b []byte) int { return bytes.Compare(a[:32], b[:32]) }}

func recordSize(head []byte) int {
	return headSize + int(binary.LittleEndian.Uint32(head[offLength:]))
}

func compareRecords(a, b []byte) int {
	return cmp.Or(bytes.Compare(a[offKey:offContent], b[offKey:offContent]),
		cmp.Compare(binary.LittleEndian.Uint64(a[offOrder:]), binary.LittleEndian.Uint64(b[offOrder:])))
}

// partReader reads the records of a bucket, one part at a time.
type partReader struct {
	spill   *spill
	bucket  *bucket
	unpack  *unpacker
	written int // number of the blocks of the scratch file that were read
	block   int // number of the blocks in memory that were read
}

// next returns the next records in buf, which may grow: those of at least one block, and otherwise at most most bytes of
// them. At the end it returns no record.
func (r *partReader) next(buf []byte, most int) ([]byte, error) {
	buf = roomFor(buf, most+slack)
	for ; r.written < len(r.bucket.written); r.written++ {
		w := r.bucket.written[r.written]
		if !r.fits(&buf, int(w.records), most) {
			return buf, nil
		}
		var err error
		if buf, err = r.spill.read(w, buf, r.unpack); err != nil {
			return nil, err
		}
	}
	for ; r.block < len(r.bucket.blocks); r.block++ {
		b := r.bucket.blocks[r.block]
		if !r.fits(&buf, b.size, most) {
			break
		}
		var err error
		if buf, err = r.spill.appendRecords(buf, b, r.unpack); err != nil {
			return nil, err
		}
	}
	return buf, nil
}

// fits reports whether buf, which contains records, may contain n more bytes. An empty buffer grows if n is larger than
// most.
func (r *partReader) fits(buf *[]byte, n, most int) bool {
	if len(*buf) > 0 && len(*buf)+n > most {
		return false
	}
	*buf = slices.Grow(*buf, n+slack)
	return true
}

// writeRun writes sorted records with the given total size to the scratch file.
func (s *spill) writeRun(size int64, records iter.Seq[[]byte]) (extent, error) {
	run := extent{at: s.end.Add(size) - size, size: size}
	err := fault.At("spill.write")
	w := bufio.NewWriterSize(io.NewOffsetWriter(s.file, run.at), 256<<10)
	for rec := range records {
		if err != nil {
			break
		}
		_, err = w.Write(rec)
	}
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = fault.At("spill.write" + fault.Done)
	}
	if err != nil {
		return run, fmt.Errorf("write the scratch file: %w", err)
	}
	return run, nil
}

// runMerge reads the records of several runs in order.
type runMerge struct {
	kind recordKind
	runs []*runReader // a heap ordered by the next records
}

type runReader struct {
	r    *bufio.Reader
	head []byte // head of the next record
}

// mergeRuns begins to merge runs. The buffers use about memory bytes.
func (s *spill) mergeRuns(runs []extent, memory int) (*runMerge, error) {
	m := &runMerge{kind: s.kind}
	size := min(max(memory/max(len(runs), 1), 1<<10), 64<<10)
	for _, e := range runs {
		r := &runReader{r: bufio.NewReaderSize(io.NewSectionReader(s.file, e.at, e.size), size)}
		more, err := m.peek(r)
		if err != nil {
			return nil, err
		}
		if more {
			m.runs = append(m.runs, r)
		}
	}
	heap.Init(m)
	return m, nil
}

// peek reads the head of the next record of a run; false at its end.
func (m *runMerge) peek(r *runReader) (more bool, err error) {
	if err = fault.At("spill.read"); err == nil {
		r.head, err = r.r.Peek(m.kind.head)
	}
	if errors.Is(err, io.EOF) && len(r.head) == 0 {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the scratch file: %w", err)
	}
	return true, nil
}

// head returns the head of the next record, or nil at the end. The head is valid until the next call of append.
func (m *runMerge) head() []byte {
	if len(m.runs) == 0 {
		return nil
	}
	return m.runs[0].head
}

// append appends the next record to buf.
func (m *runMerge) append(buf []byte) ([]byte, error) {
	r := m.runs[0]
	at, size := len(buf), m.kind.size(r.head)
	buf = slices.Grow(buf, size)[:at+size]
	if _, err := io.ReadFull(r.r, buf[at:]); err != nil {
		return nil, fmt.Errorf("read the scratch file: %w", err)
	}
	more, err := m.peek(r)
	switch {
	case err != nil:
		return nil, err
	case more:
		heap.Fix(m, 0)
	default:
		heap.Pop(m)
	}
	return buf, nil
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (m *runMerge) Len() int           { return len(m.runs) }
func (m *runMerge) Less(i, j int) bool { return m.kind.compare(m.runs[i].head, m.runs[j].head) < 0 }
func (m *runMerge) Swap(i, j int)      { m.runs[i], m.runs[j] = m.runs[j], m.runs[i] }
func (m *runMerge) Push(x any)         { m.runs = append(m.runs, x.(*runReader)) }

func (m *runMerge) Pop() any {
	last := m.runs[len(m.runs)-1]
	m.runs = m.runs[:len(m.runs)-1]
	return last
}

// part contains the rows of a range of keys, sorted and without duplicates, and their records.
type part struct {
	buf  []byte
	rows []row
	lo   identity.Key
	hi   *identity.Key // nil means no upper limit
}

// large reports whether a part has rows of megabytes. Writing such rows to the dataset needs several times their size
// in memory.
func (p part) large() bool { return len(p.buf) > len(p.rows)<<20 }

// eachPart calls fn with the rows of a bucket: with all at once if they fit the memory of a worker, otherwise in
// consecutive parts. Duplicates are counted in files. If last is set, the bucket is not read again.
func (a *attempt) eachPart(i int, b *mergeBuffers, files []audience.Rows, last bool, fn func(part) error) error {
	s := a.spill
	lo, hi := s.bounds(i)
	if s.buckets[i].size > int64(a.wholeBucket()) {
		runs, err := s.sortRows(i, b, files, a.wholeBucket())
		if err != nil {
			return err
		}
		if last {
			s.release(i)
		}
		return s.mergeRows(runs, b, files, a.wholeBucket(), part{lo: lo, hi: hi}, fn)
	}
	var err error
	if b.buf, err = s.load(i, b.buf, &b.unpack); err != nil {
		return err
	}
	if last {
		s.release(i)
	}
	return fn(part{buf: b.buf, rows: lastWins(b.sorter.sort(b.buf, 64-s.shift), files), lo: lo, hi: hi})
}

// sortRows writes the rows of a bucket as runs. Each run has as many rows as fit the memory. Of several rows with one
// key, a run has only the last.
func (s *spill) sortRows(i int, b *mergeBuffers, files []audience.Rows, memory int) (runs []extent, err error) {
	r := partReader{spill: s, bucket: &s.buckets[i], unpack: &b.unpack}
	for {
		if b.buf, err = r.next(b.buf, memory); err != nil || len(b.buf) == 0 {
			return runs, err
		}
		rows, size := lastWins(b.sorter.sort(b.buf, 64-s.shift), files), int64(0)
		for _, r := range rows {
			size += int64(recordSize(b.buf[r.at:]))
		}
		run, err := s.writeRun(size, func(yield func([]byte) bool) {
			for _, r := range rows {
				if !yield(b.buf[r.at:][:recordSize(b.buf[r.at:])]) {
					return
				}
			}
		})
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
}

// mergeRows merges runs and calls fn with consecutive parts of the range of all. Each part has as many rows as fit the
// memory.
func (s *spill) mergeRows(runs []extent, b *mergeBuffers, files []audience.Rows, memory int, all part, fn func(part) error) error {
	m, err := s.mergeRuns(runs, memory)
	if err != nil {
		return err
	}
	b.buf, b.sorter.rows = roomFor(b.buf, memory), b.sorter.rows[:0]
	lo := all.lo
	for head := m.head(); head != nil; head = m.head() {
		next, rows := rowAt(head, len(b.buf)), b.sorter.rows
		if n := len(rows); n > 0 && rows[n-1].hi == next.hi && rows[n-1].lo == next.lo {
			files[rows[n-1].file()].Duplicates++
			next.at = rows[n-1].at
			b.buf, rows = b.buf[:next.at], rows[:n-1]
		} else if n > 0 && len(b.buf)+recordSize(head) > memory {
			hi := next.key()
			if err := fn(part{buf: b.buf, rows: rows, lo: lo, hi: &hi}); err != nil {
				return err
			}
			lo, next.at = hi, 0
			b.buf, rows = roomFor(b.buf, memory), rows[:0]
		}
		if b.buf, err = m.append(b.buf); err != nil {
			return err
		}
		b.sorter.rows = append(rows, next)
	}
	return fn(part{buf: b.buf, rows: b.sorter.rows, lo: lo, hi: all.hi})
}
