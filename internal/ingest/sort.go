package ingest

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"roster/internal/audience"
	"roster/internal/identity"
)

// row points to a record in the buffer of a bucket, with the values that the sort and the merge compare.
type row struct {
	hi, lo uint64 // the key
	order  uint64
	at     uint32 // offset of the record in the buffer, which is much smaller than 4 GiB
}

// rowAt returns the row of the record that begins with head, at an offset of the buffer.
func rowAt(head []byte, at int) row {
	return row{
		hi:    binary.BigEndian.Uint64(head[offKey:]),
		lo:    binary.BigEndian.Uint64(head[offKey+8:]),
		order: binary.LittleEndian.Uint64(head[offOrder:]),
		at:    uint32(at),
	}
}

// rowOf returns a row with the key and without a file.
func rowOf(k identity.Key) row {
	return row{hi: binary.BigEndian.Uint64(k[:8]), lo: binary.BigEndian.Uint64(k[8:])}
}

func (r row) key() (k identity.Key) {
	binary.BigEndian.PutUint64(k[:8], r.hi)
	binary.BigEndian.PutUint64(k[8:], r.lo)
	return k
}

func (r row) file() int   { return int(r.order >> lineBits) }
func (r row) line() int64 { return int64(r.order & lineMask) }

func compareRows(a, b row) int {
	if c := cmp.Compare(a.hi, b.hi); c != 0 {
		return c
	}
	if c := cmp.Compare(a.lo, b.lo); c != 0 {
		return c
	}
	return cmp.Compare(a.order, b.order)
}

// sorter sorts the records of a bucket by key and order. Its buffers are reused for each bucket.
type sorter struct {
	rows, tmp []row
	counts    []uint32
}

// sort returns the sorted records of buf. skip is the number of leading key bits that are the same in all records. Keys
// are hashes, so one distribution by the following bits leaves groups of a few rows each.
func (s *sorter) sort(buf []byte, skip int) []row {
	s.rows = s.rows[:0]
	for at := 0; at < len(buf); {
		s.rows = append(s.rows, rowAt(buf[at:], at))
		at += recordSize(buf[at:])
	}
	n := len(s.rows)
	if n < 64 {
		slices.SortFunc(s.rows, compareRows)
		return s.rows
	}
	width := bits.Len(uint(n)) - 2
	shift := 64 - width
	group := func(r row) uint64 { return r.hi << skip >> shift }
	s.counts = append(s.counts[:0], make([]uint32, 1<<width+1)...)
	for _, r := range s.rows {
		s.counts[group(r)+1]++
	}
	for i := 1; i < len(s.counts); i++ {
		s.counts[i] += s.counts[i-1]
	}
	if cap(s.tmp) < n {
		s.tmp = make([]row, n, n+n/8)
	}
	s.tmp = s.tmp[:n]
	for _, r := range s.rows {
		g := group(r)
		s.tmp[s.counts[g]] = r
		s.counts[g]++
	}
	start := uint32(0)
	for _, end := range s.counts[:1<<width] {
		if end-start > 1 {
			slices.SortFunc(s.tmp[start:end], compareRows)
		}
		start = end
	}
	s.rows, s.tmp = s.tmp, s.rows
	return s.rows
}

// lastWins keeps only the last of several rows with one key, and counts the others as duplicates of their files.
func lastWins(rows []row, files []audience.Rows) []row {
	kept := rows[:0]
	for i, r := range rows {
		if i+1 < len(rows) && rows[i+1].hi == r.hi && rows[i+1].lo == r.lo {
			files[r.file()].Duplicates++
			continue
		}
		kept = append(kept, r)
	}
	return kept
}
