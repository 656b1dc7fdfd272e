package ingest

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/zeebo/xxh3"

	"roster/internal/audience"
	"roster/internal/identity"
)

// A packed block contains the records of a block in about half of the bytes:
//
//	writer   uvarint, the index of the packer
//	sum      8, xxh3 of the records of the block, which unpack compares
//	widths   for the order, and for each field of a type other than string and boolean, 1 byte: the width of the first
//	         form in bytes, and for a number the number of decimals * 16
//	records  each: key 16, flags 1, order, the null bitmap if flagNulls is set, a bitmap of the fields with the second
//	         form, then the values that are not null, in field order
//
// A value has one of two forms. "Before" is the last value of the field in the same block, at first 0 or an empty text:
//
//	type                first form                                          second form
//	string              equal to the value before at the start and the      uvarint, the index in the field's dictionary
//	                    end (4 bits each), length of the rest, the rest
//	order, integer,     difference to the value before                      the bytes of the record
//	long, date
//	datetime            difference to the value before in seconds           the bytes of the record
//	number              the value times 10 ^ decimals                       the bytes of the record
//	boolean             false, no bytes                                     true, no bytes
//
// The order has the second form if flagOrder is set. The hash of the content is computed again, and the length is known
// from the values.
const (
	flagNulls = 1 << 7
	flagOrder = 1 << 6
)

// form defines how values of a type are packed.
type form byte

const (
	formText form = iota
	formNarrow
	formWide
	formTime
	formNumber
	formTruth
)

// formOf returns the form of a type.
func formOf(t audience.Type) form {
	switch t {
	case audience.String:
		return formText
	case audience.Integer, audience.Date:
		return formNarrow
	case audience.Long:
		return formWide
	case audience.DateTime:
		return formTime
	case audience.Boolean:
		return formTruth
	}
	return formNumber
}

// hasWidth reports whether the first form has a width.
func (f form) hasWidth() bool { return f != formText && f != formTruth }

// packing is the configuration of the packers of a spill of rows.
type packing struct {
	forms     []form // of the fields
	nullBytes int
	memory    int // bytes of the dictionaries of one packer
}

func (c *rowCodec) packing(memory int) *packing {
	p := &packing{nullBytes: c.nullBytes, memory: memory}
	for _, f := range c.fields {
		p.forms = append(p.forms, formOf(f.Type))
	}
	return p
}

// packer packs the blocks of one writer. The dictionaries are needed until the last block is unpacked.
type packer struct {
	*packing
	index  uint64
	last   []lastValue
	texts  []dictionary
	widths []width // of the fields
	order  width
	left   int // bytes left for the dictionaries
	buf    []byte
}

// lastValue is the last value of a field in a block.
type lastValue struct {
	number int64
	text   []byte
}

func newPacker(c *packing, index int) *packer {
	return &packer{packing: c, index: uint64(index), last: make([]lastValue, len(c.forms)), texts: make([]dictionary, len(c.forms)),
		widths: make([]width, len(c.forms)), left: c.memory}
}

// pack returns the packed form of a block. It is valid until the next call.
func (p *packer) pack(block []byte) []byte {
	// Each byte of a record has at most two in the packed form.
	if most := 2*len(block) + len(p.forms) + slack; cap(p.buf) < most {
		p.buf = make([]byte, most)
	}
	dst := p.buf[:cap(p.buf)]
	n := binary.PutUvarint(dst, p.index)
	binary.LittleEndian.PutUint64(dst[n:], xxh3.Hash(block))
	n += 8
	dst[n] = p.order.begin()
	n++
	for i, f := range p.forms {
		if f.hasWidth() {
			dst[n] = p.widths[i].begin()
			n++
		}
	}
	clear(p.last)
	before := uint64(0)
	for len(block) > 0 {
		head, src := block[:headSize], block[headSize:] // src begins with the rest of the record
		block = block[recordSize(head):]
		*(*identity.Key)(dst[n:]) = identity.Key(head)
		flags := &dst[n+16]
		*flags = head[offFlags]
		n += 17
		order := binary.LittleEndian.Uint64(head[offOrder:])
		if v, ok := p.order.fit(int64(order - before)); ok {
			binary.LittleEndian.PutUint64(dst[n:], v)
			n += p.order.bytes
		} else {
			*flags |= flagOrder
			binary.LittleEndian.PutUint64(dst[n:], order)
			n += 8
		}
		before = order
		nulls := src[:p.nullBytes]
		src = src[p.nullBytes:]
		if !isZero(nulls) {
			*flags |= flagNulls
			n += copy(dst[n:], nulls)
		}
		second := dst[n : n+p.nullBytes]
		clear(second)
		n += p.nullBytes
		for i, f := range p.forms {
			bit := byte(1) << (i % 8)
			if nulls[i/8]&bit != 0 {
				continue
			}
			switch f {
			case formText:
				size, w := uvarint(src)
				text := src[w : w+size]
				src = src[w+size:]
				if code, known := p.texts[i].find(text, &p.left); known {
					second[i/8] |= bit
					n = putUvarint(dst, n, uint64(code))
				} else {
					n = putText(dst, n, text, p.last[i].text)
				}
				p.last[i].text = text
			case formTruth:
				if src[0] != 0 {
					second[i/8] |= bit
				}
				src = src[1:]
			default:
				v, size, ok := p.number(i, f, src)
				if !ok {
					second[i/8] |= bit
					n += copy(dst[n:], src[:size])
				} else {
					binary.LittleEndian.PutUint64(dst[n:], v)
					n += p.widths[i].bytes
				}
				src = src[size:]
			}
		}
	}
	return dst[:n]
}

// number returns the first form of the value at the start of src, if the value has one, and its size in src.
func (p *packer) number(i int, f form, src []byte) (v uint64, size int, ok bool) {
	w, last, n := &p.widths[i], &p.last[i].number, int64(0)
	switch f {
	case formNarrow:
		n = int64(int32(binary.LittleEndian.Uint32(src)))
		v, ok = w.fit(n - *last)
		*last = n
		return v, 4, ok
	case formNumber:
		if n, ok = w.whole(math.Float64frombits(binary.LittleEndian.Uint64(src))); ok {
			v, ok = w.fit(n)
		}
		return v, 8, ok
	}
	n = int64(binary.LittleEndian.Uint64(src))
	if f == formTime {
		if n%1e6 != 0 {
			return 0, 8, false
		}
		n /= 1e6
	}
	v, ok = w.fit(n - *last)
	*last = n
	return v, 8, ok
}

// unpacker unpacks blocks. Each goroutine has its own unpacker.
type unpacker struct {
	last   []lastValue
	widths []readWidth
	read   []byte // buffer for packed blocks of the scratch file
}

// errPacking means that a packed block does not have the records that were packed: memory, the scratch disk or the packing
// is at fault.
var errPacking = errors.New("ingest: records that were put aside are damaged")

// unpack appends the records of a packed block to buf, which has room for them and for slack.
func (u *unpacker) unpack(buf, packed []byte, packers []*packer) ([]byte, error) {
	index, w := binary.Uvarint(packed)
	p, src := packers[index], packed[w:]
	sum := binary.LittleEndian.Uint64(src)
	src = src[8:]
	if len(u.last) != len(p.forms) {
		u.last, u.widths = make([]lastValue, len(p.forms)), make([]readWidth, len(p.forms))
	}
	orders := readWidthOf(src[0])
	src = src[1:]
	for i, f := range p.forms {
		if f.hasWidth() {
			u.widths[i], src = readWidthOf(src[0]), src[1:]
		}
	}
	clear(u.last)
	dst, n := buf[:cap(buf)], len(buf)
	order := uint64(0)
	for len(src) > 0 {
		head := dst[n:][:headSize]
		n += headSize
		start := n
		*(*identity.Key)(head) = identity.Key(src)
		flags := src[16]
		src = src[17:]
		head[offFlags] = flags &^ (flagNulls | flagOrder)
		if flags&flagOrder != 0 {
			order = binary.LittleEndian.Uint64(src)
			src = src[8:]
		} else {
			order += uint64(orders.value(src))
			src = src[orders.bytes:]
		}
		binary.LittleEndian.PutUint64(head[offOrder:], order)
		nulls := dst[n:][:p.nullBytes]
		n += p.nullBytes
		if flags&flagNulls != 0 {
			src = src[copy(nulls, src):]
		} else {
			clear(nulls)
		}
		bitmap := src[:p.nullBytes]
		src = src[p.nullBytes:]
		for i, f := range p.forms {
			bit := byte(1) << (i % 8)
			if nulls[i/8]&bit != 0 {
				continue
			}
			second := bitmap[i/8]&bit != 0
			switch {
			case f == formText && second:
				code, w := uvarint(src)
				src = src[w:]
				text := p.texts[i].text(uint32(code))
				n = putUvarint(dst, n, uint64(len(text)))
				u.last[i].text = dst[n : n+len(text)]
				n += copyText(dst[n:], text)
			case f == formText:
				first, end := int(src[0]>>4), int(src[0]&15)
				size, w := uvarint(src[1:])
				rest := src[1+w:][:size]
				src = src[1+w+size:]
				before := u.last[i].text
				size += first + end
				n = putUvarint(dst, n, uint64(size))
				u.last[i].text = dst[n : n+size]
				n += copyText(dst[n:], before[:first])
				n += copyText(dst[n:], rest)
				n += copyText(dst[n:], before[len(before)-end:])
			case f == formTruth:
				dst[n] = 0
				if second {
					dst[n] = 1
				}
				n++
			default:
				v, size := u.number(i, f, src, second)
				src = src[size:]
				binary.LittleEndian.PutUint64(dst[n:], v)
				n += 8
				if f == formNarrow {
					n -= 4
				}
			}
		}
		payload := dst[start:n]
		binary.LittleEndian.PutUint64(head[offContent:], xxh3.Hash(payload))
		binary.LittleEndian.PutUint32(head[offLength:], uint32(len(payload)))
	}
	if xxh3.Hash(dst[len(buf):n]) != sum {
		return nil, errPacking
	}
	return dst[:n], nil
}

// number returns the bits of the value whose first or second form is at the start of src, and the size of the form.
func (u *unpacker) number(i int, f form, src []byte, second bool) (bits uint64, size int) {
	w, last := &u.widths[i], &u.last[i].number
	if second {
		if f == formNarrow {
			v := binary.LittleEndian.Uint32(src)
			*last = int64(int32(v))
			return uint64(v), 4
		}
		v := binary.LittleEndian.Uint64(src)
		switch {
		case f == formWide:
			*last = int64(v)
		case f == formTime && int64(v)%1e6 == 0:
			*last = int64(v) / 1e6
		}
		return v, 8
	}
	v := w.value(src)
	if f == formNumber {
		return math.Float64bits(float64(v) / w.power), w.bytes
	}
	v += *last
	*last = v
	if f == formTime {
		v *= 1e6
	}
	return uint64(v), w.bytes
}
