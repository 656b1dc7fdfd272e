package parquet

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"unsafe"

	"github.com/apache/arrow-go/v18/parquet"

	"roster/internal/tabular"
	"roster/internal/unpack"
)

// pageGate stands between a column chunk and the library that decodes its values. It reads the pages, checks their
// claims and their optional checksums, and decompresses them. The library sees uncompressed pages of one version with
// correct headers. It implements io.Reader.
//
// A page is decompressed as a whole, except that a large page of plain texts is passed through piece by piece.
type pageGate struct {
	file   *parquetFile
	name   string
	typ    parquetType
	codec  unpack.Codec
	def    bool  // values may be null
	rows   int64 // not covered by a page yet
	size   int64 // of the chunk
	memory pages

	in    *bufio.Reader // the stored bytes of the chunk
	dict  bool          // the dictionary is read
	held  int64         // memory of the page
	plain []byte        // the page as the library reads it
	space *pageSpace

	head []byte // header of the page, for the library
	rest []byte // of head
	body pageBody
	err  error // the first error
}

// pageSpace is the buffer for the compressed pages of a row group's columns, one after the other: each page is
// decompressed before the next one is read. The decompressed page belongs to its column, since the library reads ahead
// and may stop in the middle of a page.
type pageSpace struct {
	pages  pages
	packed []byte
}

func (s *pageSpace) close() {
	s.pages.close()
	s.packed = nil
}

// pageBody is the content of a page after its header.
type pageBody interface {
	io.Reader
	// finish reads what the library left, since the checksum can be verified only at the end of a page.
	finish() error
	close()
}

const (
	// streamed is the size from which the library reads a page of plain texts piece by piece. It is the library's own
	// limit.
	streamed = 1 << 20
	// maxPage is the largest size of a page, compressed or not. Some writers make one page for the column of a row
	// group.
	maxPage = 256 << 20
)

var (
	errLevels = errors.New("the levels of a page have more bytes than the page")
	errSum    = errors.New("the checksum of a page is wrong")
)

func newPageGate(p *parquetFile, c *parquetColumn, chunk *parquetChunk, rows int64, space *pageSpace) *pageGate {
	const forgotten = 100 // bytes of the dictionary's header, which old writers omit from the size
	size := min(chunk.packed+forgotten, p.end-chunk.start())
	in := bufio.NewReaderSize(io.NewSectionReader(p.source, chunk.start(), size), int(min(size, p.buffer)))
	return &pageGate{file: p, name: c.name, typ: c.parquetType, codec: parquetCodecs[chunk.codec].codec, def: c.optional, rows: rows, size: size,
		memory: pages{fence: &p.fence}, in: in, space: space}
}

// Read implements io.Reader.
func (g *pageGate) Read(p []byte) (n int, err error) {
	for g.err == nil {
		switch {
		case len(g.rest) > 0:
			n = copy(p, g.rest)
			g.rest = g.rest[n:]
			return n, nil
		case g.body != nil:
			if n, err = g.body.Read(p); err == io.EOF {
				err = g.finish()
			}
			g.err = g.damaged(err)
			if n > 0 {
				return n, nil
			}
		case g.rows == 0:
			return 0, io.EOF
		default:
			g.err = g.damaged(g.next())
		}
	}
	return 0, g.err
}

// finish ends the current page.
func (g *pageGate) finish() error {
	if g.body == nil || g.err != nil {
		return g.err
	}
	err := g.damaged(g.body.finish())
	g.closeBody()
	return err
}

func (g *pageGate) closeBody() {
	if g.body != nil {
		g.body.close()
		g.body = nil
	}
	g.memory.release(g.held)
	g.held = 0
}

// close releases the memory of the pages.
func (g *pageGate) close() {
	g.closeBody()
	g.memory.close()
	g.plain = nil
}

// damaged adds the column's name to an error of the file.
func (g *pageGate) damaged(err error) error {
	if _, known := err.(*tabular.FileError); known || err == nil {
		return err
	}
	return parquetError("the Parquet file is damaged (column %q: %.200s); write it again", g.name, err)
}

// next reads pages up to the next one for the library.
func (g *pageGate) next() error {
	for {
		h, err := g.header()
		switch {
		case err != nil:
			return err
		case h.typ == pageDictionary:
			return g.dictionary(h)
		case (h.typ == pageData || h.typ == pageDataV2) && h.values > 0:
			return g.data(h)
		}
		if _, err := g.in.Discard(int(h.packed)); err != nil { // indexes, and future kinds of pages
			return err
		}
	}
}

// header reads the header of a page and checks its sizes.
func (g *pageGate) header() (h pageHeader, err error) {
	h, g.in, err = readPageHeader(g.in)
	switch {
	case err == io.EOF:
		return h, errors.New("it has fewer values than its row group has rows")
	case err != nil:
		return h, err
	case h.plain < 0 || h.packed < 0 || h.values < 0 || h.defs < 0 || h.reps < 0:
		return h, errors.New("a page has a negative size")
	case h.packed > maxPage || h.plain > maxPage:
		return h, g.tooLarge(int64(max(h.packed, h.plain)))
	case int64(h.packed) > g.size:
		return h, errors.New("a page claims more bytes than its column has")
	}
	return h, g.file.unpacks(int64(h.plain))
}

func (g *pageGate) tooLarge(size int64) error {
	return parquetError("column %q has a page of %d MiB; at most %d MiB are possible; write the file with smaller pages", g.name, size>>20, maxPage>>20)
}

func (g *pageGate) unsupported(encoding int32) error {
	name := fmt.Sprintf("the unknown encoding %d", encoding)
	if encoding >= 0 && int(encoding) < len(encodingNames) {
		name = encodingNames[encoding]
	}
	return parquetError("column %q is encoded by %s in %s, which is not supported; write the file with PLAIN or dictionary encoding", g.name, name, g.typ.physical)
}

// dictionary processes a dictionary page.
func (g *pageGate) dictionary(h pageHeader) error {
	least := g.typ.least()
	switch {
	case g.dict:
		return errors.New("it has two dictionaries")
	case least == 0:
		return g.unsupported(encodingDictionary)
	case h.encoding != encodingPlain && h.encoding != encodingPlainDictionary:
		return g.unsupported(h.encoding)
	case int64(h.values)*least > int64(h.plain):
		return errors.New("its dictionary claims more values than it has bytes")
	}
	g.dict = true
	// The library makes a list of the values, which takes twice the memory while it grows. The list stays until the
	// chunk ends.
	value := least
	if g.typ.bytes() {
		value = int64(unsafe.Sizeof(parquet.ByteArray{}))
	}
	if err := g.memory.hold(2 * value * int64(h.values)); err != nil {
		return err
	}
	plain, err := g.whole(h, 0)
	if err != nil {
		return err
	}
	g.emit(h, wholeBody{bytes.NewReader(plain)})
	return nil
}

// data processes a data page.
func (g *pageGate) data(h pageHeader) error {
	if int64(h.values) > g.rows {
		return errors.New("it has more values than its row group has rows")
	}
	g.rows -= int64(h.values)
	levels := 0
	switch {
	case !decodable(g.typ.physical, h.encoding):
		return g.unsupported(h.encoding)
	case h.typ == pageDataV2:
		if levels = int(h.defs) + int(h.reps); levels > int(h.packed) || levels > int(h.plain) {
			return errLevels
		}
	case !g.def:
		h.defsEncoding = encodingRLE // there are no levels
	}
	if g.codec.Streams() && h.encoding == encodingPlain && int(h.plain)-levels > streamed && g.typ.bytes() && (h.typ == pageDataV2 || h.defsEncoding == encodingRLE) {
		return g.stream(h, levels)
	}
	plain, err := g.whole(h, levels)
	if err != nil {
		return err
	}
	return g.page(h, plain)
}

// whole reads a page and decompresses it after its first bytes, the levels, which are never compressed.
func (g *pageGate) whole(h pageHeader, levels int) (plain []byte, err error) {
	codec := g.codecOf(h)
	if !codec.Plausible(int64(int(h.packed)-levels), int64(int(h.plain)-levels)) {
		return nil, fmt.Errorf("a page of %d bytes claims %d bytes without compression", h.packed, h.plain)
	}
	var packed []byte
	if codec == unpack.Stored {
		packed, err = g.buffer(h, h.packed)
	} else if packed, err = g.space.pages.grow(g.space.packed, int64(h.packed)); err == nil {
		g.space.packed = packed
	}
	if err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(g.in, packed); err != nil {
		return nil, err
	}
	if h.checked && crc32.ChecksumIEEE(packed) != h.sum {
		return nil, errSum
	}
	if codec == unpack.Stored {
		return packed, nil
	}
	if plain, err = g.buffer(h, h.plain); err != nil {
		return nil, err
	}
	copy(plain, packed[:levels])
	return plain, codec.Block(plain[levels:], packed[levels:])
}

// buffer returns the column's buffer for a page, or for a large page a separate buffer that is released with it.
func (g *pageGate) buffer(h pageHeader, size int32) (b []byte, err error) {
	if h.typ != pageDictionary && g.typ.bytes() && (size > streamed || h.encoding == encodingDeltaTexts) {
		if err := g.hold(int64(size)); err != nil {
			return nil, err
		}
		return make([]byte, size), nil
	}
	g.plain, err = g.memory.grow(g.plain, int64(size))
	return g.plain, err
}

func (g *pageGate) codecOf(h pageHeader) unpack.Codec {
	if h.typ == pageDataV2 && !h.compressed {
		return unpack.Stored
	}
	return g.codec
}

// page passes a decompressed data page on. The library sees version 2, except for levels that only version 1 has.
func (g *pageGate) page(h pageHeader, plain []byte) error {
	values := plain
	switch {
	case h.typ == pageDataV2:
		plain = plain[h.reps:] // some writers write them although there are none
		values = plain[h.defs:]
	case !g.def:
		h.typ, h.defs = pageDataV2, 0
	case h.defsEncoding == encodingRLE:
		if len(plain) < 4 || uint64(binary.LittleEndian.Uint32(plain)) > uint64(len(plain)-4) {
			return errLevels
		}
		h.typ, h.defs = pageDataV2, int32(binary.LittleEndian.Uint32(plain))
		plain = plain[4:]
		values = plain[h.defs:]
	case h.defsEncoding == encodingBitPacked:
		n := (int(h.values) + 7) / 8
		if n > len(plain) {
			return errLevels
		}
		values = plain[n:]
	default:
		return g.unsupported(h.defsEncoding)
	}
	levels := plain[:len(plain)-len(values)]
	body, size, err := g.values(&h, values)
	if err != nil {
		return err
	}
	h.plain = int32(int64(len(levels)) + size)
	g.emit(h, wholeBody{io.MultiReader(bytes.NewReader(levels), body)})
	return nil
}

// values checks the values of a page for which the library allocates memory, and decodes those that the library cannot
// read.
func (g *pageGate) values(h *pageHeader, values []byte) (body io.Reader, size int64, err error) {
	switch {
	case len(values) == 0:
		h.encoding = encodingPlain // there are no values, so any encoding works
	case h.encoding == encodingDelta:
		_, err = openDeltas(values)
	case h.encoding == encodingDeltaLength:
		if err = g.hold(4 * int64(h.values)); err == nil {
			_, err = openDeltas(values)
		}
	case h.encoding == encodingDeltaTexts:
		return g.texts(h, values)
	case h.encoding == encodingDictionary || h.encoding == encodingPlainDictionary:
		if h.encoding = encodingDictionary; !g.dict {
			err = errors.New("it has no dictionary")
		}
	}
	return bytes.NewReader(values), int64(len(values)), err
}

// hold reserves memory until the page ends.
func (g *pageGate) hold(n int64) error {
	if err := g.memory.hold(n); err != nil {
		return err
	}
	g.held += n
	return nil
}

// texts decodes values that are written as a prefix shared with the value before and a rest.
func (g *pageGate) texts(h *pageHeader, values []byte) (io.Reader, int64, error) {
	if err := g.hold(8 * int64(h.values)); err != nil {
		return nil, 0, err
	}
	t, longest, size, err := openTexts(values, int(h.values), g.typ.length)
	switch {
	case err != nil:
		return nil, 0, err
	case longest > tabular.MaxRecord:
		return nil, 0, tooManyBytes(g.name)
	case size > maxPage:
		return nil, 0, g.tooLarge(size)
	}
	h.encoding = encodingPlain
	if err := g.hold(longest); err != nil {
		return nil, 0, err
	}
	return t, size, g.file.unpacks(size)
}

// stream passes on a large page of plain texts.
func (g *pageGate) stream(h pageHeader, levels int) error {
	s := &streamedBody{header: h, sum: crc32.NewIEEE(), left: int64(h.plain) - int64(levels)}
	s.stored = io.TeeReader(io.LimitReader(g.in, int64(h.packed)), s.sum)
	if err := g.hold(int64(levels)); err != nil {
		return err
	}
	before := make([]byte, levels)
	if _, err := io.ReadFull(s.stored, before); err != nil {
		return err
	}
	var err error
	if s.plain, s.end, err = g.codecOf(h).Stream(s.stored); err != nil {
		return err
	}
	g.body = s // for finish and close
	if h.typ == pageDataV2 {
		s.levels = before[h.reps:]
	} else if h.typ, h.defs = pageDataV2, 0; g.def {
		var size [4]byte
		if _, err := io.ReadFull(s.plain, size[:]); err != nil {
			return err
		}
		n := binary.LittleEndian.Uint32(size[:])
		if s.left -= int64(len(size)); int64(n) > s.left {
			return errLevels
		}
		h.defs = int32(n) // the levels come first
	}
	h.plain = int32(int64(len(s.levels)) + s.left)
	g.emit(h, s)
	return nil
}

// emit lets the library read a page.
func (g *pageGate) emit(h pageHeader, body pageBody) {
	g.head = h.append(g.head[:0])
	g.rest, g.body = g.head, body
}

// wholeBody is a page that was already checked.
type wholeBody struct{ io.Reader }

func (wholeBody) finish() error { return nil }
func (wholeBody) close()        {}

// streamedBody is a page that is decompressed while the library reads it.
type streamedBody struct {
	header pageHeader
	levels []byte    // uncompressed
	plain  io.Reader // the values after the levels
	left   int64     // of plain
	stored io.Reader
	sum    hash.Hash32
	end    func()
}

func (s *streamedBody) Read(p []byte) (n int, err error) {
	switch {
	case len(s.levels) > 0:
		n = copy(p, s.levels)
		s.levels = s.levels[n:]
		return n, nil
	case s.left == 0:
		return 0, io.EOF
	}
	n, err = s.plain.Read(p[:min(int64(len(p)), s.left)])
	if s.left -= int64(n); err == io.EOF && s.left > 0 {
		return n, io.ErrUnexpectedEOF
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

func (s *streamedBody) finish() error {
	if _, err := io.Copy(io.Discard, s); err != nil {
		return err
	}
	if n, err := io.ReadFull(s.plain, make([]byte, 1)); n > 0 {
		return errors.New("a page decompresses to more bytes than it claims")
	} else if err != io.EOF {
		return err
	}
	if _, err := io.Copy(io.Discard, s.stored); err != nil {
		return err
	}
	if s.header.checked && s.sum.Sum32() != s.header.sum {
		return errSum
	}
	return nil
}

func (s *streamedBody) close() { s.end() }
