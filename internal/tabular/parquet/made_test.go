package parquet

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"

	"github.com/apache/arrow-go/v18/parquet"
)

// thriftField is a field of a struct, made by hand so that it can say anything.
type thriftField struct {
	id    int16
	typ   byte
	value []byte
}

func zigzag(v int64) []byte { return binary.AppendUvarint(nil, uint64(v<<1)^uint64(v>>63)) }

func num(id int16, v int64) thriftField { return thriftField{id, thriftI64, zigzag(v)} }
func str(id int16, s string) thriftField {
	return thriftField{id, thriftBinary, append(binary.AppendUvarint(nil, uint64(len(s))), s...)}
}
func sub(id int16, fields ...thriftField) thriftField {
	return thriftField{id, thriftStruct, message(fields...)}
}
func message(fields ...thriftField) (b []byte) {
	for _, f := range fields {
		b = append(append(append(b, f.typ), zigzag(int64(f.id))...), f.value...)
	}
	return append(b, thriftStop)
}
func list(id int16, elem byte, items ...[]byte) thriftField {
	head := binary.AppendUvarint([]byte{0xf0 | elem}, uint64(len(items)))
	return thriftField{id, thriftList, append(head, bytes.Join(items, nil)...)}
}

// leaf is an element of a schema.
func leaf(name string, typ parquet.Type, more ...thriftField) []byte {
	fields := []thriftField{num(1, int64(typ)), num(3, int64(parquet.Repetitions.Required)), str(4, name)}
	fields = slices.DeleteFunc(fields, func(f thriftField) bool {
		return slices.ContainsFunc(more, func(m thriftField) bool { return m.id == f.id })
	})
	return message(append(fields, more...)...)
}

func group(name string, children int64) []byte { return message(str(4, name), num(5, children)) }

// madePage is a page: its header and its body as they are stored.
type madePage struct {
	plain  int64 // what it says
	typ    int64
	header thriftField
	body   []byte
	sum    bool
}

func (p madePage) bytes() []byte {
	fields := []thriftField{num(1, p.typ), num(2, p.plain), num(3, int64(len(p.body))), p.header}
	if p.sum {
		fields = append(fields, num(4, int64(int32(crc32.ChecksumIEEE(p.body)))))
	}
	return append(message(fields...), p.body...)
}

func pageV1(values, encoding int64, body []byte) madePage {
	return madePage{plain: int64(len(body)), typ: pageData, body: body, header: sub(5, num(1, values), num(2, encoding), num(3, encodingRLE), num(4, encodingRLE))}
}

// pageV2 is a page of version 2 whose levels are the first bytes of the body.
func pageV2(values, encoding int64, levels int, body []byte) madePage {
	return madePage{plain: int64(len(body)), typ: pageDataV2, body: body, header: sub(8, num(1, values), num(2, 0), num(3, values), num(4, encoding), num(5, int64(levels)), num(6, 0))}
}

func dictionaryPage(values int64, body []byte) madePage {
	return madePage{plain: int64(len(body)), typ: pageDictionary, body: body, header: sub(7, num(1, values), num(2, encodingPlain))}
}

// madeChunk is a column chunk.
type madeChunk struct {
	typ   parquet.Type
	codec int64
	pages []madePage
	more  []thriftField // of the column chunk
}

// madeFile is a file of one row group; schema is that of its columns, without the root.
func madeFile(rows int64, schema [][]byte, roots int64, chunks ...madeChunk) []byte {
	file := []byte(Magic)
	var columns [][]byte
	for _, c := range chunks {
		at := len(file)
		for _, p := range c.pages {
			file = append(file, p.bytes()...)
		}
		n := int64(len(file) - at)
		meta := sub(3, num(1, int64(c.typ)), num(4, c.codec), num(5, rows), num(6, n), num(7, n), num(9, int64(at)))
		columns = append(columns, message(append([]thriftField{num(2, 0), meta}, c.more...)...))
	}
	rowGroup := message(list(1, thriftStruct, columns...), num(2, 1), num(3, rows))
	schema = append([][]byte{group("schema", roots)}, schema...)
	return withFooter(file, message(num(1, 1), list(2, thriftStruct, schema...), num(3, rows), list(4, thriftStruct, rowGroup)))
}

func withFooter(file, footer []byte) []byte {
	file = append(file, footer...)
	return append(binary.LittleEndian.AppendUint32(file, uint32(len(footer))), Magic...)
}

// oneColumn is a file with the column v.
func oneColumn(rows int64, typ parquet.Type, codec int64, element []thriftField, pages ...madePage) []byte {
	return madeFile(rows, [][]byte{leaf("v", typ, element...)}, 1, madeChunk{typ: typ, codec: codec, pages: pages})
}

// plainTextsOf are values of byte arrays.
func plainTextsOf(texts ...string) (b []byte) {
	for _, s := range texts {
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
	}
	return b
}

// deltasOf are delta-packed numbers, in blocks of one miniblock of 128 whose deltas have 32 bits.
func deltasOf(numbers ...int64) []byte {
	b := binary.AppendUvarint(nil, 128)
	b = binary.AppendUvarint(b, 1)
	b = binary.AppendUvarint(b, uint64(len(numbers)))
	if len(numbers) == 0 {
		return append(b, 0)
	}
	b = append(b, zigzag(numbers[0])...)
	for i := 1; i < len(numbers); i += 128 {
		deltas := make([]byte, 128*4)
		least := int64(0)
		for j := i; j < min(i+128, len(numbers)); j++ {
			least = min(least, numbers[j]-numbers[j-1])
		}
		for j := i; j < min(i+128, len(numbers)); j++ {
			binary.LittleEndian.PutUint32(deltas[4*(j-i):], uint32(numbers[j]-numbers[j-1]-least))
		}
		b = append(append(append(b, zigzag(least)...), 32), deltas...)
	}
	return b
}
