package parquet

import (
	"bufio"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/parquet"

	"roster/internal/unpack"
)

// Types of pages.
const (
	pageData       = 0
	pageDictionary = 2
	pageDataV2     = 3
)

// Encodings of values, by their number in the format.
const (
	encodingPlain           = 0
	encodingPlainDictionary = 2
	encodingRLE             = 3
	encodingBitPacked       = 4
	encodingDelta           = 5
	encodingDeltaLength     = 6
	encodingDeltaTexts      = 7
	encodingDictionary      = 8
	encodingSplit           = 9
)

var encodingNames = []string{
	encodingPlain: "PLAIN", 1: "GROUP_VAR_INT", encodingPlainDictionary: "PLAIN_DICTIONARY", encodingRLE: "RLE", encodingBitPacked: "BIT_PACKED",
	encodingDelta: "DELTA_BINARY_PACKED", encodingDeltaLength: "DELTA_LENGTH_BYTE_ARRAY", encodingDeltaTexts: "DELTA_BYTE_ARRAY",
	encodingDictionary: "RLE_DICTIONARY", encodingSplit: "BYTE_STREAM_SPLIT",
}

// decodable reports whether the values of a physical type may have an encoding.
func decodable(p parquet.Type, encoding int32) bool {
	text := p == parquet.Types.ByteArray
	fixed := p == parquet.Types.FixedLenByteArray
	whole := p == parquet.Types.Int32 || p == parquet.Types.Int64
	switch encoding {
	case encodingPlain:
		return true
	case encodingPlainDictionary, encodingDictionary:
		return p != parquet.Types.Boolean
	case encodingRLE:
		return p == parquet.Types.Boolean
	case encodingDelta:
		return whole
	case encodingDeltaLength:
		return text
	case encodingDeltaTexts:
		return text || fixed
	case encodingSplit:
		return whole || fixed || p == parquet.Types.Float || p == parquet.Types.Double
	}
	return false
}

// parquetCodecs are the compressions of pages, by their number in the format.
var parquetCodecs = []struct {
	name  string
	codec unpack.Codec
	known bool
}{
	{"UNCOMPRESSED", unpack.Stored, true},
	{"SNAPPY", unpack.SnappyBlock, true},
	{"GZIP", unpack.GzipBlock, true},
	{"LZO", 0, false},
	{"BROTLI", unpack.BrotliBlock, true},
	{"LZ4", unpack.LZ4Frames, true},
	{"ZSTD", unpack.ZstdBlock, true},
	{"LZ4_RAW", unpack.LZ4Block, true},
}

// pageHeader is the used part of a page's header.
type pageHeader struct {
	typ           int32
	plain, packed int32 // uncompressed and compressed bytes
	checked       bool  // it has a checksum
	sum           uint32
	values        int32
	encoding      int32
	defsEncoding  int32 // of the definition levels of a page of version 1
	defs, reps    int32 // bytes of the levels of a page of version 2
	compressed    bool  // the values of a page of version 2 are compressed
}

// maxPageHeader is the largest size of a page's header. Its statistics may contain long texts.
const maxPageHeader = 16 << 20

// readPageHeader reads the header of a page. It returns a reader of the bytes after it, which is in, or in with a
// larger buffer.
func readPageHeader(in *bufio.Reader) (h pageHeader, rest *bufio.Reader, err error) {
	for size := 256; ; size *= 4 {
		in = bufio.NewReaderSize(in, size)
		head, err := in.Peek(size)
		if len(head) == 0 {
			return h, in, err
		}
		r := thriftReader{rest: head}
		h = parsePageHeader(&r)
		switch {
		case r.err == nil:
			_, err := in.Discard(len(head) - len(r.rest))
			return h, in, err
		case !errors.Is(r.err, errThriftShort) && !errors.Is(r.err, errThriftCount), len(head) < size, size >= maxPageHeader:
			return h, in, fmt.Errorf("the header of a page is malformed: %w", r.err)
		}
	}
}

func parsePageHeader(r *thriftReader) pageHeader {
	h := pageHeader{compressed: true}
	r.fields(func(id int16, typ byte) {
		switch id {
		case 1:
			h.typ = r.number32(typ)
		case 2:
			h.plain = r.number32(typ)
		case 3:
			h.packed = r.number32(typ)
		case 4:
			h.checked, h.sum = true, uint32(r.number32(typ))
		case 5, 7, 8:
			if typ != thriftStruct {
				r.fail(errThriftType)
				return
			}
			r.fields(func(field int16, typ byte) { h.field(r, id, field, typ) })
		}
	})
	return h
}

// field reads a field of the header of a data page (5), of a dictionary (7), or of a data page of version 2 (8).
func (h *pageHeader) field(r *thriftReader, of, id int16, typ byte) {
	const v1, v2 = 5, 8
	switch {
	case id == 1:
		h.values = r.number32(typ)
	case id == 2 && of != v2, id == 4 && of == v2:
		h.encoding = r.number32(typ)
	case id == 3 && of == v1:
		h.defsEncoding = r.number32(typ)
	case id == 5 && of == v2:
		h.defs = r.number32(typ)
	case id == 6 && of == v2:
		h.reps = r.number32(typ)
	case id == 7 && of == v2:
		h.compressed = typ == thriftTrue
	}
}

// append appends the header of an uncompressed page, as the library reads it.
func (h *pageHeader) append(dst []byte) []byte {
	w := thriftWriter{b: dst}
	w.begin(0)
	w.number(1, h.typ)
	w.number(2, h.plain)
	w.number(3, h.plain)
	switch h.typ {
	case pageData:
		w.begin(5)
		w.number(1, h.values)
		w.number(2, h.encoding)
		w.number(3, h.defsEncoding)
		w.number(4, encodingRLE)
	case pageDictionary:
		w.begin(7)
		w.number(1, h.values)
		w.number(2, encodingPlain)
	default:
		w.begin(8)
		w.number(1, h.values)
		w.number(2, 0)
		w.number(3, h.values)
		w.number(4, h.encoding)
		w.number(5, h.defs)
		w.number(6, 0)
		w.no(7)
	}
	w.end()
	w.end()
	return w.b
}
