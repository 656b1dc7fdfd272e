package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/parquet"

	"roster/internal/tabular"
)

// Limits of a footer, which is read as a whole and kept while the file is read.
const (
	maxFooter = 64 << 20
	maxGroups = 100_000 // row groups with rows
)

// parquetFooter is the used part of a file's footer. Nothing in it is larger than the footer itself. Nested columns,
// and data that no reader needs (statistics, indexes, bloom filters, key-value metadata), are skipped.
type parquetFooter struct {
	fields []parquetField
	leaves int // columns that the file stores
	raw    []byte
	groups []byte // from the list of row groups to the end
}

// parquetElement is an element of the schema.
type parquetElement struct {
	name       string
	typed      bool // has a physical type
	physical   parquet.Type
	repetition parquet.Repetition
	children   int64
	length     int32 // of values of a fixed length
	converted  int32 // -1 for none
	digits     int32 // of a decimal
	scale      int32
	logical    parquetLogical
}

// parquetLogical is a logical type: the number of its kind in the format, 0 for none, and its parameters.
type parquetLogical struct {
	kind          int16
	digits, scale int32
	perUnit       int64 // nanoseconds
	utc, signed   bool
}

// readFooter reads the footer at the end of a file.
func (p *parquetFile) readFooter() error {
	const tail = 4 + len(Magic)
	size := p.source.file.Size
	var end [tail]byte
	if size < int64(tail+len(Magic)) {
		return fmt.Errorf("it has %d bytes", size)
	}
	if _, err := p.source.ReadAt(end[:], size-int64(tail)); err != nil {
		return err
	}
	n := int64(binary.LittleEndian.Uint32(end[:]))
	switch {
	case n > size-int64(tail+len(Magic)):
		return fmt.Errorf("its footer claims %d bytes, more than the file has", n)
	case n > maxFooter:
		return parquetError("the footer of the Parquet file has %d MiB; at most %d MiB are read; write the file with larger row groups or fewer columns", n>>20, maxFooter>>20)
	}
	p.end = size - int64(tail) - n
	if err := p.fence.take(n); err != nil {
		return err
	}
	raw := make([]byte, n)
	if n > 0 {
		if _, err := p.source.ReadAt(raw, p.end); err != nil {
			return err
		}
	}
	p.footer.raw = raw
	return p.footer.parse()
}

// parse reads the used parts of the footer except the row groups, which are read when the wanted columns are known.
func (f *parquetFooter) parse() error {
	r := thriftReader{rest: f.raw}
	f.leaves = -1
	r.fields(func(id int16, typ byte) {
		switch id {
		case 2:
			f.schema(&r, typ)
		case 4:
			f.groups = r.rest
			if typ != thriftList {
				r.fail(errThriftType)
			}
		}
	})
	if f.leaves < 0 {
		r.fail(errors.New("its footer has no schema"))
	}
	return r.err
}

// schema reads the schema, a tree whose nodes are in depth-first order. Only nodes directly below the root can be
// columns of an audience. Of deeper nodes only the leaves are counted, since row groups have a column chunk for each.
func (f *parquetFooter) schema(r *thriftReader, typ byte) {
	f.fields, f.leaves = nil, 0
	open := int64(0) // elements still to come below the last field
	left := int64(0) // fields still to come
	root := true
	var wrong error
	r.structs(typ, func(int) {
		e := readElement(r)
		leaf := e.typed && e.children == 0
		switch {
		case r.err != nil:
		case e.children < 0 || e.children > int64(len(r.rest)):
			wrong = errThriftCount
		case root:
			root, left = false, e.children
		case open > 0:
			open += e.children - 1
		case left > 0:
			left--
			open = e.children
			if len(f.fields) <= tabular.MaxColumns { // one more shows that there are too many
				f.fields = append(f.fields, parquetField{name: e.shown(), leaf: f.leaves, nested: !leaf || e.repetition == parquet.Repetitions.Repeated, element: e})
			}
		default:
			wrong = errors.New("its schema has more elements than its root claims")
		}
		if leaf {
			f.leaves++
		}
		if wrong != nil {
			r.fail(wrong)
		}
	})
	if root || left > 0 || open > 0 {
		r.fail(errors.New("its schema has fewer elements than it claims"))
	}
}

// shown returns the name of a field, shortened if it is too long for a name.
func (e *parquetElement) shown() string {
	name := e.name
	if len(name) > tabular.MaxName {
		name = name[:tabular.MaxName] + "…"
	}
	return strings.ToValidUTF8(name, "\uFFFD")
}

func readElement(r *thriftReader) parquetElement {
	e := parquetElement{converted: -1}
	r.fields(func(id int16, typ byte) {
		switch id {
		case 1:
			e.typed, e.physical = true, parquet.Type(r.number32(typ))
		case 2:
			e.length = r.number32(typ)
		case 3:
			e.repetition = parquet.Repetition(r.number32(typ))
		case 4:
			if name := r.text(typ); len(name) > tabular.MaxName {
				e.name = string(name[:tabular.MaxName+1])
			} else {
				e.name = string(name)
			}
		case 5:
			e.children = int64(r.number32(typ))
		case 6:
			e.converted = r.number32(typ)
		case 7:
			e.scale = r.number32(typ)
		case 8:
			e.digits = r.number32(typ)
		case 10:
			e.logical = readLogical(r, typ)
		}
	})
	return e
}

// readLogical reads a logical type, a union of structs.
func readLogical(r *thriftReader, typ byte) (l parquetLogical) {
	if typ != thriftStruct {
		return l
	}
	r.fields(func(kind int16, typ byte) {
		if l.kind = kind; typ != thriftStruct {
			return
		}
		r.fields(func(id int16, typ byte) {
			switch {
			case kind == logicalDecimal && id == 1:
				l.scale = r.number32(typ)
			case kind == logicalDecimal && id == 2:
				l.digits = r.number32(typ)
			case (kind == logicalTime || kind == logicalTimestamp) && id == 1:
				l.utc = typ == thriftTrue
			case (kind == logicalTime || kind == logicalTimestamp) && id == 2 && typ == thriftStruct:
				r.fields(func(unit int16, _ byte) { l.perUnit = nanosPer(unit) })
			case kind == logicalInteger && id == 2:
				l.signed = typ == thriftTrue
			}
		})
	})
	return l
}

// parquetChunk is the used part of a column chunk's description.
type parquetChunk struct {
	known     bool // the row group has it
	sealed    bool // it is encrypted
	elsewhere bool // it is in another file
	physical  parquet.Type
	codec     int32
	data      int64 // where its pages begin
	dict      int64 // where its dictionary begins; 0 for none
	packed    int64 // bytes of its pages
	plain     int64 // uncompressed bytes that the pages claim
}

// start returns the offset of the first page.
func (c *parquetChunk) start() int64 {
	if c.dict > 0 && c.dict < c.data {
		return c.dict
	}
	return c.data
}

// eachGroup calls fn for each row group: its number, the offset of its description in the footer, its rows, the
// uncompressed bytes that it claims, and its chunks of the wanted columns, which are valid until the next call.
func (f *parquetFooter) eachGroup(found []parquetColumn, fn func(i, at int, rows, plain int64, chunks []parquetChunk) error) error {
	if f.groups == nil {
		return nil
	}
	r := thriftReader{rest: f.groups}
	chunks := make([]parquetChunk, len(found))
	r.structs(thriftList, func(i int) {
		at := len(f.raw) - len(r.rest)
		rows, plain := readGroup(&r, found, chunks)
		if r.err == nil {
			if err := fn(i, at, rows, plain, chunks); err != nil {
				r.fail(err)
			}
		}
	})
	return r.err
}

// readGroup reads a row group and its chunks of the wanted columns, in the order of the file.
func readGroup(r *thriftReader, found []parquetColumn, chunks []parquetChunk) (rows, plain int64) {
	clear(chunks)
	r.fields(func(id int16, typ byte) {
		switch id {
		case 1:
			next := 0
			r.structs(typ, func(i int) {
				if next < len(found) && found[next].leaf == i {
					readChunk(r, &chunks[next])
					next++
				} else {
					r.skip(thriftStruct)
				}
			})
		case 2:
			plain = r.number(typ)
		case 3:
			rows = r.number(typ)
		}
	})
	return rows, plain
}

func readChunk(r *thriftReader, c *parquetChunk) {
	r.fields(func(id int16, typ byte) {
		switch id {
		case 1:
			c.elsewhere = len(r.text(typ)) > 0
		case 3:
			if typ != thriftStruct {
				r.fail(errThriftType)
				return
			}
			c.known = true
			r.fields(func(id int16, typ byte) {
				switch id {
				case 1:
					c.physical = parquet.Type(r.number32(typ))
				case 4:
					c.codec = r.number32(typ)
				case 6:
					c.plain = r.number(typ)
				case 7:
					c.packed = r.number(typ)
				case 9:
					c.data = r.number(typ)
				case 11:
					c.dict = r.number(typ)
				}
			})
		case 8, 9: // the encryption, and the encrypted metadata
			c.sealed = true
		}
	})
}
