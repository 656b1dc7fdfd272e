package csv

import (
	"bytes"
	"math/bits"
)

// escapes tracks the escapes of a text. It also tracks them outside quoted fields, where they are data: a byte after
// one is never a quote that opens a field there, and other bytes do not matter.
type escapes struct {
	next   uint64 // 1 if the next byte is escaped
	before uint64 // the value of next before the last word
}

// cut removes the escaped quotes from the quotes that are marked in part.
func (e *escapes) cut(quotes []uint64, part []byte, escape byte) (found bool) {
	var words [segment]uint64
	for i, marks := range markedWords(words[:], part, escape, escape, escape) {
		found = found || marks != 0
		quotes[i] &^= e.escaped(marks)
	}
	return found
}

// back returns to the state before the last word.
func (e *escapes) back() { e.next = e.before }

// escaped processes the next 64 bytes, given by their escapes. It returns which of them are escaped.
func (e *escapes) escaped(marks uint64) uint64 {
	out := e.next
	e.before, e.next = e.next, 0
	for rest := marks &^ out; rest != 0; {
		i := bits.TrailingZeros64(rest)
		if i == 63 {
			e.next = 1
			break
		}
		out |= 2 << i
		rest &^= 3 << i
	}
	return out
}

// unescape appends to dst the value of a quoted field with escapes: escaped bytes are literal, and two quotes become
// one.
func (d dialect) unescape(dst, v []byte) []byte {
	for i := 0; i < len(v); i++ {
		if c := v[i]; (c == d.quote || c == d.escape) && i+1 < len(v) {
			i++
		}
		dst = append(dst, v[i])
	}
	return dst
}

// closing returns the offset of the quote that closes the quoted field with the text v, and whether quotes or escapes
// come before it; len(v) if there is none.
func (d dialect) closing(v []byte) (at int, marks bool) {
	for at < len(v) {
		n := bytes.IndexByte(v[at:], d.quote)
		if n < 0 {
			break
		}
		if e := bytes.IndexByte(v[at:at+n], d.escape); e >= 0 {
			n = e
		} else if at+n+1 == len(v) || v[at+n+1] != d.quote {
			return at + n, marks
		}
		marks = true
		at += n + 2
	}
	return len(v), marks
}
