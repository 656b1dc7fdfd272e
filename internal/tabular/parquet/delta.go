package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxDeltaBlock is how many numbers a block of delta-packed ones may have. Writers make them of 128 to a few thousand.
const maxDeltaBlock = 64 << 10

var errDelta = errors.New("its delta-packed numbers are not what they say")

// deltaHeader is the beginning of delta-packed numbers.
type deltaHeader struct {
	block, minis, count uint64
	first               int64
}

// deltas are delta-packed numbers.
type deltas struct {
	deltaHeader
	rest []byte
}

// openDeltas reads the header of delta-packed numbers and refuses what no writer means.
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

// numbers returns the numbers, at most so many, and what lies behind them.
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
				break // the widths of the miniblocks that do not exist mean nothing
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

// bitsAt returns width bits from bit at on, at most 32.
func bitsAt(packed []byte, at, width int) uint64 {
	if width == 0 {
		return 0
	}
	var window [8]byte
	copy(window[:], packed[at/8:])
	return binary.LittleEndian.Uint64(window[:]) >> (at % 8) & (1<<width - 1)
}

// plainTexts turns texts that are written as what each shares with the one before it and the rest (DELTA_BYTE_ARRAY)
// into plain ones. Only one of them is held at a time, since what is small so may be very large as plain text. It
// implements io.Reader.
type plainTexts struct {
	prefixes, suffixes []int32
	data               []byte
	fixed              bool // plain texts have no length before them
	last               []byte
	out                []byte // of last, what is to be read, behind its length
}

// openTexts reads the lengths of texts, at most so many, and returns that of the longest and how many bytes they have
// when they are plain. length is the one that all have; 0 when they have different ones.
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
