package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxDeltaBlock is the largest number of values in a block of delta-packed numbers. Writers use 128 to a few thousand.
const maxDeltaBlock = 64 << 10

var errDelta = errors.New("its delta-packed numbers contradict their header")

// deltaHeader is the header of delta-packed numbers.
type deltaHeader struct {
	block, minis, count uint64
	first               int64
}

// deltas are delta-packed numbers.
type deltas struct {
	deltaHeader
	rest []byte
}

// openDeltas reads the header of delta-packed numbers and refuses headers that no writer produces.
func openDeltas(data []byte) (d deltas, err error) {
	d.rest = data
	for _, v := range []*uint64{&d.block, &d.minis, &d.count} {
		n := 0
		if *v, n = binary.Uvarint(d.rest); n <= 0 {
			return d, errDelta
		}
		d.rest = d.rest[n:]
	}
	first, n := binary.Uvarint(d.rest)
	if n <= 0 || d.block == 0 || d.block > maxDeltaBlock || d.minis == 0 || d.block%d.minis != 0 || d.block/d.minis%32 != 0 {
		return d, errDelta
	}
	d.first, d.rest = unzigzag(first), d.rest[n:]
	return d, nil
}

// numbers returns at most most numbers, and the bytes after them.
func (d *deltas) numbers(most int) (numbers []int32, rest []byte, err error) {
	if d.count > uint64(most) {
		return nil, nil, errDelta
	}
	numbers = make([]int32, 0, d.count)
	if d.count > 0 {
		numbers = append(numbers, int32(d.first))
	}
	last := d.first
	for uint64(len(numbers)) < d.count {
		least, n := binary.Uvarint(d.rest)
		if n <= 0 || uint64(len(d.rest)-n) < d.minis {
			return nil, nil, errDelta
		}
		widths := d.rest[n:][:d.minis]
		d.rest = d.rest[n+int(d.minis):]
		for _, width := range widths {
			if uint64(len(numbers)) == d.count {
				break // the widths of miniblocks that do not exist have no meaning
			}
			size := int(d.block/d.minis) * int(width) / 8
			if width > 32 || size > len(d.rest) {
				return nil, nil, errDelta
			}
			packed := d.rest[:size]
			d.rest = d.rest[size:]
			for i := 0; i < int(d.block/d.minis) && uint64(len(numbers)) < d.count; i++ {
				last += unzigzag(least) + int64(bitsAt(packed, i*int(width), int(width)))
				if last != int64(int32(last)) {
					return nil, nil, errDelta
				}
				numbers = append(numbers, int32(last))
			}
		}
	}
	return numbers, d.rest, nil
}

// bitsAt returns width bits starting at bit at; width is at most 32.
func bitsAt(packed []byte, at, width int) uint64 {
	if width == 0 {
		return 0
	}
	var window [8]byte
	copy(window[:], packed[at/8:])
	return binary.LittleEndian.Uint64(window[:]) >> (at % 8) & (1<<width - 1)
}

// plainTexts decodes texts that are written as a prefix shared with the text before and a rest (DELTA_BYTE_ARRAY). It
// keeps only one of them at a time, since their plain form may be very large. It implements io.Reader.
type plainTexts struct {
	prefixes, suffixes []int32
	data               []byte
	fixed              bool // plain texts have no length prefix
	last               []byte
	out                []byte // of last, the bytes still to read, after the length
}

// openTexts reads the lengths of at most most texts, and returns the length of the longest and the number of bytes in
// plain form. length is the length of all texts; 0 if lengths differ.
func openTexts(data []byte, most, length int) (t *plainTexts, longest, size int64, err error) {
	t = &plainTexts{fixed: length > 0}
	d, err := openDeltas(data)
	if err != nil {
		return nil, 0, 0, err
	}
	prefixes, rest, err := d.numbers(most)
	if err != nil {
		return nil, 0, 0, err
	}
	if d, err = openDeltas(rest); err != nil {
		return nil, 0, 0, err
	}
	suffixes, rest, err := d.numbers(most)
	switch {
	case err != nil:
		return nil, 0, 0, err
	case len(prefixes) != len(suffixes):
		return nil, 0, 0, errDelta
	}
	before, held := int64(0), int64(0)
	for i, prefix := range prefixes {
		n := int64(prefix) + int64(suffixes[i])
		switch {
		case prefix < 0 || suffixes[i] < 0 || int64(prefix) > before:
			return nil, 0, 0, errDelta
		case length > 0 && n != int64(length):
			return nil, 0, 0, fmt.Errorf("a value has %d bytes and not %d", n, length)
		}
		before, longest = n, max(longest, n)
		held += int64(suffixes[i])
		if size += n; !t.fixed {
			size += 4
		}
	}
	if held > int64(len(rest)) {
		return nil, 0, 0, errDelta
	}
	t.prefixes, t.suffixes, t.data, t.last = prefixes, suffixes, rest, make([]byte, 4)
	return t, longest, size, nil
}

func (t *plainTexts) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(t.out) == 0 {
			if len(t.prefixes) == 0 {
				return n, io.EOF
			}
			suffix := t.suffixes[0]
			t.last = append(t.last[:4+t.prefixes[0]], t.data[:suffix]...)
			t.data, t.prefixes, t.suffixes = t.data[suffix:], t.prefixes[1:], t.suffixes[1:]
			binary.LittleEndian.PutUint32(t.last, uint32(len(t.last)-4))
			if t.out = t.last; t.fixed {
				t.out = t.last[4:]
			}
		}
		m := copy(p[n:], t.out)
		n, t.out = n+m, t.out[m:]
	}
	return n, nil
}
