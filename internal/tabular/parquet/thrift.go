package parquet

import (
	"encoding/binary"
	"errors"
)

// Types of Thrift's compact protocol, in which Parquet writes its footer and the headers of its pages.
const (
	thriftStop   = 0
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// maxThriftDepth is the deepest nesting of structs and lists. Those of Parquet are at most 8 deep.
const maxThriftDepth = 24

var (
	errThriftShort = errors.New("its metadata ends in the middle")
	errThriftType  = errors.New("its metadata has a value of the wrong type")
	errThriftDeep  = errors.New("its metadata is nested too deeply")
	errThriftCount = errors.New("its metadata claims more elements than it has bytes")
)

// thriftReader reads a message of Thrift's compact protocol without copying. It accepts no count and no length that is
// larger than the remaining bytes, so its time and memory are limited by the size of the message. After an error
// nothing remains, so every loop over it ends.
type thriftReader struct {
	rest  []byte
	depth int
	err   error
}

func (r *thriftReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = nil
}

func (r *thriftReader) byte() byte {
	if len(r.rest) == 0 {
		r.fail(errThriftShort)
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *thriftReader) varint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail(errThriftShort)
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// take returns the next n bytes.
func (r *thriftReader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail(errThriftShort)
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// fields calls fn with the number and the type of each field of a struct. fn reads the value, or leaves it, and then
// fields skips it: unknown fields, and fields of another type than expected, do not matter.
func (r *thriftReader) fields(fn func(id int16, typ byte)) {
	if r.depth++; r.depth > maxThriftDepth {
		r.fail(errThriftDeep)
	}
	id := int16(0)
	for {
		head := r.byte()
		typ := head & 0x0f
		if typ == thriftStop {
			break
		}
		if delta := int16(head >> 4); delta != 0 {
			id += delta
		} else {
			id = int16(unzigzag(r.varint()))
		}
		before := r.rest
		if fn(id, typ); r.err == nil && len(r.rest) == len(before) && typ != thriftTrue && typ != thriftFalse {
			r.skip(typ)
		}
	}
	r.depth--
}

// list reads the head of a list: the number and type of its elements. Each element takes at least one byte.
func (r *thriftReader) list() (n int, elem byte) {
	head := r.byte()
	count := uint64(head >> 4)
	if count == 15 {
		count = r.varint()
	}
	if count > uint64(len(r.rest)) {
		r.fail(errThriftCount)
		return 0, 0
	}
	return int(count), head & 0x0f
}

// structs calls fn for each element of a list of structs.
func (r *thriftReader) structs(typ byte, fn func(i int)) {
	if typ != thriftList {
		r.fail(errThriftType)
		return
	}
	n, elem := r.list()
	if n > 0 && elem != thriftStruct {
		r.fail(errThriftType)
	}
	for i := 0; i < n && r.err == nil; i++ {
		fn(i)
	}
}

// number reads a whole number of 8 to 64 bits.
func (r *thriftReader) number(typ byte) int64 {
	switch typ {
	case thriftByte:
		return int64(int8(r.byte()))
	case thriftI16, thriftI32, thriftI64:
		return unzigzag(r.varint())
	}
	r.fail(errThriftType)
	return 0
}

// number32 reads a number of 32 bits.
func (r *thriftReader) number32(typ byte) int32 {
	n := r.number(typ)
	if n != int64(int32(n)) {
		r.fail(errThriftType)
	}
	return int32(n)
}

// text reads a string, which shares the memory of the message.
func (r *thriftReader) text(typ byte) []byte {
	if typ != thriftBinary {
		r.fail(errThriftType)
		return nil
	}
	return r.take(r.varint())
}

// skip skips a value.
func (r *thriftReader) skip(typ byte) {
	switch typ {
	case thriftTrue, thriftFalse:
		r.byte() // an element of a list; a field has no bytes
	case thriftByte:
		r.byte()
	case thriftI16, thriftI32, thriftI64:
		r.varint()
	case thriftDouble:
		r.take(8)
	case thriftBinary:
		r.take(r.varint())
	case thriftList, thriftSet:
		r.skipList()
	case thriftMap:
		r.skipMap()
	case thriftStruct:
		r.fields(func(int16, byte) {})
	default:
		r.fail(errThriftType)
	}
}

func (r *thriftReader) skipList() {
	if r.depth++; r.depth > maxThriftDepth {
		r.fail(errThriftDeep)
	}
	n, elem := r.list()
	for range n {
		if r.err != nil {
			break
		}
		r.skip(elem)
	}
	r.depth--
}

func (r *thriftReader) skipMap() {
	if r.depth++; r.depth > maxThriftDepth {
		r.fail(errThriftDeep)
	}
	n := r.varint()
	if n > uint64(len(r.rest)) {
		r.fail(errThriftCount)
	}
	if n > 0 && r.err == nil {
		types := r.byte()
		for i := uint64(0); i < n && r.err == nil; i++ {
			r.skip(types >> 4)
			r.skip(types & 0x0f)
		}
	}
	r.depth--
}

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// thriftWriter writes structs of numbers.
type thriftWriter struct {
	b    []byte
	last []byte // numbers of the last fields of the open structs
}

func (w *thriftWriter) head(id, typ byte) {
	at := len(w.last) - 1
	w.b = append(w.b, (id-w.last[at])<<4|typ)
	w.last[at] = id
}

// number writes a field of 32 bits.
func (w *thriftWriter) number(id byte, v int32) {
	w.head(id, thriftI32)
	w.b = binary.AppendUvarint(w.b, uint64(uint32(v<<1)^uint32(v>>31)))
}

func (w *thriftWriter) no(id byte) { w.head(id, thriftFalse) }

// begin begins a struct: the message itself if there is none yet, otherwise a field of the open struct.
func (w *thriftWriter) begin(id byte) {
	if len(w.last) > 0 {
		w.head(id, thriftStruct)
	}
	w.last = append(w.last, 0)
}

func (w *thriftWriter) end() {
	w.b = append(w.b, thriftStop)
	w.last = w.last[:len(w.last)-1]
}
