package ingest

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/zeebo/xxh3"
)

// width chooses the size of the first form of the values of a field. The values of a block decide for the next block.
type width struct {
	bytes  int    // size of the first form; 0 in the first block, in which only zeros have it
	used   uint64 // the values of the block that fit, combined by OR
	others uint64 // the values of the block that do not fit, combined by OR
	tried  int    // number of values of the block
	missed int    // number of those that do not fit

	decimals int // of a number
	more     int // number of decimals from the next block on
	odd      int // number of values of the block with more decimals
	off      bool
}

const (
	mostWidth    = 7 // bytes
	mostDecimals = 9
)

var powers = [mostDecimals + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

// begin begins a block and returns the byte that describes the width.
func (w *width) begin() byte {
	if w.missed*16 > w.tried {
		w.used |= w.others
	}
	if w.tried > 0 {
		w.bytes = min((bits.Len64(w.used)+7)/8, mostWidth)
	}
	w.off = w.off || w.more == w.decimals && w.odd > w.tried
	w.decimals = w.more
	w.used, w.others, w.tried, w.missed, w.odd = 0, 0, 0, 0, 0
	return byte(w.bytes | w.decimals<<4)
}

// fit returns the first form of a value, if the value has one.
func (w *width) fit(n int64) (v uint64, ok bool) {
	v = uint64(n<<1) ^ uint64(n>>63)
	w.tried++
	if v>>(8*w.bytes) == 0 {
		w.used |= v
		return v, true
	}
	w.others |= v
	w.missed++
	return 0, false
}

// whole returns a number times 10 ^ decimals, if that is a whole number from which the number can be computed.
func (w *width) whole(v float64) (n int64, ok bool) {
	if w.off {
		return 0, false
	}
	if n, ok = wholeOf(v, w.decimals); ok {
		return n, true
	}
	const most = 64 // values of a block whose decimals are counted
	for more := w.more + 1; more <= mostDecimals && w.odd < most; more++ {
		if _, ok := wholeOf(v, more); ok {
			w.more = more
			break
		}
	}
	w.odd++
	return 0, false
}

func wholeOf(v float64, decimals int) (n int64, ok bool) {
	n = int64(math.RoundToEven(v * powers[decimals]))
	return n, math.Float64bits(float64(n)/powers[decimals]) == math.Float64bits(v)
}

// readWidth is the width of a field of a packed block.
type readWidth struct {
	bytes int
	mask  uint64
	power float64
}

func readWidthOf(b byte) readWidth {
	n := int(b & 15)
	return readWidth{n, 1<<(8*n) - 1, powers[b>>4]}
}

// value returns the value whose first form is at the start of p.
func (w *readWidth) value(p []byte) int64 {
	var v uint64
	if len(p) >= 8 {
		v = binary.LittleEndian.Uint64(p) & w.mask
	} else {
		for i, b := range p[:w.bytes] {
			v |= uint64(b) << (8 * i)
		}
	}
	return int64(v>>1) ^ -int64(v&1)
}

// putText encodes a text at dst[n:] by what differs from the text before, and returns the end.
func putText(dst []byte, n int, text, before []byte) int {
	start := commonStart(before, text)
	end := min(commonEnd(before, text), min(len(before), len(text))-start)
	dst[n] = byte(start<<4 | end)
	text = text[start : len(text)-end]
	n = putUvarint(dst, n+1, uint64(len(text)))
	return n + copyText(dst[n:], text)
}

// slack is the number of bytes after the last one that copyText may write to, and a few more.
const slack = 64

// copyText copies a text to the start of dst, like appendText.
func copyText(dst, text []byte) int {
	if len(text) <= shortText && cap(text) >= shortText {
		*(*[shortText]byte)(dst) = [shortText]byte(text[:shortText])
		return len(text)
	}
	return copy(dst, text)
}

func isZero(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}

// putUvarint encodes x at dst[n:] and returns the end.
func putUvarint(dst []byte, n int, x uint64) int {
	for x >= 0x80 {
		dst[n] = byte(x) | 0x80
		x >>= 7
		n++
	}
	dst[n] = byte(x)
	return n + 1
}

// uvarint returns the size at the start of p and the number of its bytes.
func uvarint(p []byte) (size, n int) {
	if p[0] < 0x80 {
		return int(p[0]), 1
	}
	x, n := binary.Uvarint(p)
	return int(x), n
}

// mostCommon is the maximum number of bytes that a text shares with the start, or with the end, of the one before.
const mostCommon = 15

// commonStart returns the number of bytes at the start that two texts share, at most mostCommon.
func commonStart(a, b []byte) int {
	n, i := min(len(a), len(b), mostCommon), 0
	if n >= 8 {
		if x := binary.LittleEndian.Uint64(a) ^ binary.LittleEndian.Uint64(b); x != 0 {
			return bits.TrailingZeros64(x) / 8
		}
		i = 8
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// commonEnd returns the number of bytes at the end that two texts share, at most mostCommon.
func commonEnd(a, b []byte) int {
	n, i := min(len(a), len(b), mostCommon), 0
	a, b = a[len(a)-n:], b[len(b)-n:]
	if n >= 8 {
		if x := binary.LittleEndian.Uint64(a[n-8:]) ^ binary.LittleEndian.Uint64(b[n-8:]); x != 0 {
			return bits.LeadingZeros64(x) / 8
		}
		i = 8
	}
	for i < n && a[n-1-i] == b[n-1-i] {
		i++
	}
	return i
}

// dictionary contains texts of a field that a packer has seen. It only grows.
type dictionary struct {
	off   bool     // few values repeat
	full  bool     // no text is added any more
	slots []uint64 // hash table with linear probing: 32 bits of the hash, then the index plus 1; 0 is free
	ends  []uint32 // end of each text in bytes
	bytes []byte
	tried int
	found int
}

const (
	dictionaryTexts = 1 << 12 // maximum number of texts; a larger dictionary does not stay in the processor's cache
	dictionaryText  = 64      // maximum size of a text, in bytes
	dictionaryTrial = 1 << 13 // number of values after which the dictionary is judged
	dictionaryLeast = 1 << 10 // number of slots at first
)

// find returns the index of a text. A text that is not found is added if there is room. memory is the number of bytes
// left for dictionaries.
func (d *dictionary) find(text []byte, memory *int) (index uint32, found bool) {
	if d.off || len(text) > dictionaryText {
		return 0, false
	}
	if d.tried++; d.tried%dictionaryTrial == 0 && d.useless() {
		d.off, d.slots = true, nil
		return 0, false
	}
	if len(d.ends) >= len(d.slots)/2 {
		d.grow(memory)
	}
	if len(d.slots) == 0 {
		return 0, false
	}
	hash, mask := xxh3.Hash(text)>>32, len(d.slots)-1
	i := int(hash) & mask
	for ; d.slots[i] != 0; i = (i + 1) & mask {
		if at := uint32(d.slots[i]) - 1; d.slots[i]>>32 == hash && bytes.Equal(d.text(at), text) {
			d.found++
			return at, true
		}
	}
	if cost := len(text) + 4; !d.full && *memory >= cost {
		*memory -= cost
		d.bytes, d.ends = append(d.bytes, text...), append(d.ends, uint32(len(d.bytes)+len(text)))
		d.slots[i] = hash<<32 | uint64(len(d.ends))
	}
	return 0, false
}

// useless reports whether fewer than a quarter of the last values were found.
func (d *dictionary) useless() bool {
	found := d.found
	d.found = 0
	return found < dictionaryTrial/4
}

// grow doubles the hash table. If there is no memory, the dictionary is full.
func (d *dictionary) grow(memory *int) {
	if d.full {
		return
	}
	size := max(2*len(d.slots), dictionaryLeast)
	cost := 8 * (size - len(d.slots))
	if len(d.ends) >= dictionaryTexts || *memory < cost {
		d.full = true
		return
	}
	*memory -= cost
	old := d.slots
	d.slots = make([]uint64, size)
	for _, s := range old {
		if s == 0 {
			continue
		}
		i := int(s>>32) & (size - 1)
		for d.slots[i] != 0 {
			i = (i + 1) & (size - 1)
		}
		d.slots[i] = s
	}
}

// text returns the text with an index.
func (d *dictionary) text(i uint32) []byte {
	if i == 0 {
		return d.bytes[:d.ends[0]]
	}
	return d.bytes[d.ends[i-1]:d.ends[i]]
}
