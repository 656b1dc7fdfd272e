package csv

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"roster/internal/tabular/value"
)

const lowBits = 0x7f7f7f7f7f7f7f7f

// markWords sets bit j of dst[i] if byte 64·i+j of buf is a, b or c. It reads 64 bytes of buf for each word.
func markWords(dst []uint64, buf []byte, a, b, c byte) {
	wa, wb, wc := uint64(a)*value.EachByte, uint64(b)*value.EachByte, uint64(c)*value.EachByte
	for i := range dst {
		block := buf[64*i : 64*i+64]
		word := uint64(0)
		for j := 0; j < 64; j += 8 {
			w := binary.LittleEndian.Uint64(block[j:])
			x, y, z := w^wa, w^wb, w^wc
			// The high bit of a byte is clear if x, y or z is zero in that byte.
			other := ((x&lowBits + lowBits) | x) & ((y&lowBits + lowBits) | y) & ((z&lowBits + lowBits) | z)
			word |= (^other & value.HighBits * 0x0002040810204081) >> 56 << j
		}
		dst[i] = word
	}
}

// markedWords marks buf, without the bytes after its end, in dst and returns the words used. Slack must follow buf.
func markedWords(dst []uint64, buf []byte, a, b, c byte) []uint64 {
	n := (len(buf) + 63) / 64
	dst = dst[:n]
	mark(dst, buf[:64*n], a, b, c)
	if rest := len(buf) % 64; rest > 0 {
		dst[n-1] &= 1<<rest - 1
	}
	return dst
}

// quoting tracks the quoted fields of a text, 64 bytes at a time. It is the only definition of where a field is quoted.
// A quote opens a quoted field if it is the first byte of a field, or follows only blanks there. In a quoted field, a
// quote closes the field. A quote directly after a closing quote opens the field again, so that two quotes are one and
// data. A quote elsewhere is data.
type quoting struct {
	inside uint64 // all ones within a quoted field
	start  uint64 // 1 if the next byte is the first of a field
	closed uint64 // 1 if the last byte was a quote that closed a field
	odd    bool   // a quote outside quoted fields was data
	spaced bool   // a quoted field had blanks before it
}

// next processes the next 64 bytes, given by their delimiters and line ends and by their quotes. It returns which bytes
// are outside quoted fields, and which follow a closing quote without being a delimiter or line end. ok is false if
// some quote does not open or close a field next to it; then the caller must call step.
func (q *quoting) next(structure, quotes uint64) (outside, behind uint64, ok bool) {
	// If each quote opens or closes a field, a byte is inside if the number of quotes up to it is odd.
	inside := quotes
	inside ^= inside << 1
	inside ^= inside << 2
	inside ^= inside << 4
	inside ^= inside << 8
	inside ^= inside << 16
	inside ^= inside << 32
	inside ^= q.inside
	ends := structure &^ inside
	closes := quotes &^ inside
	behind = closes<<1 | q.closed
	if quotes&inside&^(ends<<1|q.start|behind) != 0 {
		return 0, 0, false
	}
	q.inside = -(inside >> 63)
	q.start = ends >> 63
	q.closed = closes >> 63
	return ^inside, behind &^ structure, true
}

// step does the work of next quote by quote: some quotes are data, or have blanks before them. The bytes are those of
// text from at on.
func (q *quoting) step(structure, quotes uint64, text []byte, at int, delimiter byte) (outside, behind uint64) {
	starts := structure<<1 | q.start // valid outside quoted fields only
	outside = ^q.inside
	closes := uint64(0)
	for rest := quotes; rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros64(rest)
		switch {
		case outside>>i&1 == 0:
			outside |= ^uint64(0) << i
			closes |= 1 << i
		case (starts|closes<<1|q.closed)>>i&1 != 0:
			outside &^= ^uint64(0) << i
		case behindBlanks(text[:at+i], delimiter):
			outside &^= ^uint64(0) << i
			q.spaced = true
		default:
			q.odd = true
		}
	}
	behind = closes<<1 | q.closed
	q.inside = -(^outside >> 63)
	q.start = structure & outside >> 63
	q.closed = closes >> 63
	return outside, behind &^ structure
}

// behindBlanks reports whether a text, which begins with a record, ends with blanks at the beginning of a field.
func behindBlanks(text []byte, delimiter byte) bool {
	for i := len(text) - 1; i >= 0; i-- {
		if c := text[i]; c == delimiter || c == '\n' || c != ' ' && c != '\t' {
			return c == delimiter || c == '\n'
		}
	}
	return true
}

// boundaries finds the ends of records in a buffer that begins with a record and grows from scan to scan.
type boundaries struct {
	dialect
	scanned int // bytes scanned
	state   quoting
	escapes escapes
	first   int  // offset after the first record end, 0 if there is none yet
	last    int  // offset after the last record end, 0 if there is none yet
	quotes  bool // there is a quote
	multi   bool // there is a line end in a quoted field
}

// segment is the number of words that are marked at a time.
const segment = 64

// scan scans the bytes that were added to buf. Records end at the bytes end1 and end2 outside quoted fields.
func (s *boundaries) scan(buf []byte, end1, end2 byte) {
	fresh := buf[s.scanned:]
	if !s.quotes && end1 == end2 && (s.quote == 0 || bytes.IndexByte(fresh, s.quote) < 0) {
		if n := bytes.IndexByte(fresh, end1); n >= 0 {
			if s.first == 0 {
				s.first = s.scanned + n + 1
			}
			s.last = bytes.LastIndexByte(buf, end1) + 1
		}
		s.scanned = len(buf)
		return
	}
	if !s.quotes {
		s.quotes = true
		s.scanned, s.state, s.escapes = 0, quoting{start: 1}, escapes{}
	}
	var structure, ends, quotes [segment]uint64
	for s.scanned < len(buf) {
		part := buf[s.scanned:min(len(buf), s.scanned+64*segment)]
		st := markedWords(structure[:], part, s.delimiter, end1, end2)
		e := markedWords(ends[:], part, end1, end2, end2)
		q := quotes[:len(st)]
		if s.quote != 0 {
			markedWords(q, part, s.quote, s.quote, s.quote)
		}
		if s.escape != 0 {
			s.escapes.cut(q, part, s.escape)
		}
		for i := range st {
			before := s.state
			outside, _, ok := s.state.next(st[i], q[i])
			if !ok {
				outside, _ = s.state.step(st[i], q[i], buf, s.scanned+64*i, s.delimiter)
			}
			s.multi = s.multi || e[i]&^outside != 0
			if end := e[i] & outside; end != 0 {
				base := s.scanned + 64*i
				if s.first == 0 {
					s.first = base + bits.TrailingZeros64(end) + 1
				}
				s.last = base + bits.Len64(end)
			}
			if 64*i+64 > len(part) { // the next scan begins with this word
				s.state = before
				s.escapes.back()
				s.scanned += 64 * i
				return
			}
		}
		s.scanned += len(part)
	}
}
