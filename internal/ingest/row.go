package ingest

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/lake"
)

// A record is a row between the reader and the merge, little-endian:
//
//	0  key      16 bytes, of the member: from the primary identity, or from the primary and the supplemental one
//	16 content   8 bytes, the hash of the payload
//	24 order     8 bytes, file<<40 | line: later rows win
//	32 flags     1 byte
//	33 length    4 bytes, of the payload
//	37 payload   a null bitmap, then the values that are not null, in field order
const (
	offKey     = 0
	offContent = 16
	offOrder   = 24
	offFlags   = 32
	offLength  = 33
	headSize   = 37

	flagLeaves = 1 // the delete or consent field means: not a member

	lineBits = 40
	lineMask = 1<<lineBits - 1
)

// idField is one identity field of the audience.
type idField struct {
	field     int
	namespace string
}

// rowCodec converts rows of an audience's fields to records and back.
type rowCodec struct {
	fields  []audience.Field
	primary idField
	// supplemental forms the key of a member together with the primary identity. Nil if the primary identity alone
	// forms the key.
	supplemental *idField
	// secondary contains the identities whose keys find a member in addition to the member's own key. With a
	// supplemental identity these are all identities.
	secondary  []idField
	nullBytes  int
	roleFields []int
}

func newRowCodec(a *audience.Audience) *rowCodec {
	c := &rowCodec{fields: a.Fields, nullBytes: (len(a.Fields) + 7) / 8, primary: idField{field: -1}}
	for i, f := range a.Fields {
		if f.IdentityNs != "" {
			id := idField{field: i, namespace: f.IdentityNs}
			if c.primary.field < 0 {
				c.primary = id
			} else {
				c.secondary = append(c.secondary, id)
			}
		}
		if f.Role != audience.RoleNone {
			c.roleFields = append(c.roleFields, i)
		}
	}
	if a.ExpressActivation {
		c.secondary = slices.Insert(c.secondary, 0, c.primary)
		c.supplemental = &c.secondary[1]
	}
	return c
}

// secondaryNames returns the names of the secondary fields.
func (c *rowCodec) secondaryNames() []string {
	names := make([]string, len(c.secondary))
	for i, id := range c.secondary {
		names[i] = c.fields[id.field].Name
	}
	return names
}

// encoder encodes rows of one Arrow batch at a time as records. Each goroutine has its own encoder.
type encoder struct {
	codec *rowCodec
	cols  []values
	at    []int  // position of each value in rec; -1 for null
	head  []byte // zero bytes in the length of the part before the values
	rec   []byte
	text  []byte
	norm  []byte
}

// bind prepares the encoder for the rows of rec.
func (e *encoder) bind(rec arrow.RecordBatch) {
	e.cols = e.cols[:0]
	for i := range int(rec.NumCols()) {
		e.cols = append(e.cols, valuesOf(rec.Column(i)))
	}
	e.at = make([]int, len(e.cols))
	e.head = make([]byte, headSize+e.codec.nullBytes)
}

// encode returns the record of a row and its key. The record is valid until the next call. ok is false if an identity
// that forms the key is empty.
func (e *encoder) encode(row int, order uint64) (rec []byte, key identity.Key, ok bool) {
	dst := append(e.rec[:0], e.head...)
	for i := range e.cols {
		col := &e.cols[i]
		if col.isNull(row) {
			e.at[i] = -1
			dst[headSize+i/8] |= 1 << (i % 8)
			continue
		}
		e.at[i] = len(dst)
		dst = col.append(dst, row)
	}
	e.rec = dst
	if key, ok = e.keyOf(e.codec.primary); ok && e.codec.supplemental != nil {
		var other identity.Key
		other, ok = e.keyOf(*e.codec.supplemental)
		key = identity.PairKey(key, other)
	}
	if !ok {
		return nil, key, false
	}
	copy(dst[offKey:], key[:])
	payload := dst[headSize:]
	binary.LittleEndian.PutUint64(dst[offContent:], xxh3.Hash(payload))
	binary.LittleEndian.PutUint64(dst[offOrder:], order)
	binary.LittleEndian.PutUint32(dst[offLength:], uint32(len(payload)))
	if e.leaves() {
		dst[offFlags] = flagLeaves
	}
	return dst, key, true
}

// keyOf returns the key of an identity of the row. ok is false if the identity is empty.
func (e *encoder) keyOf(id idField) (key identity.Key, ok bool) {
	if e.at[id.field] < 0 {
		return key, false
	}
	e.norm = identity.Normalise(id.namespace, e.textOf(id.field), e.norm[:0])
	if len(e.norm) == 0 {
		return key, false
	}
	return identity.KeyOf(id.namespace, e.norm), true
}

// formerKey returns the key of the row's primary identity by the former rule, and whether it differs from the present
// one.
func (e *encoder) formerKey() (key identity.Key, differs bool) {
	primary := e.codec.primary
	former, same := identity.Former(primary.namespace, e.textOf(primary.field), nil)
	if same {
		return key, false
	}
	return identity.KeyOf(primary.namespace, former), true
}

// textOf returns the text of a field that is not null. The text is valid until the next call of textOf or encode.
func (e *encoder) textOf(field int) []byte {
	if e.cols[field].kind == arrow.STRING {
		n, w := uvarint(e.rec[e.at[field]:])
		return e.rec[e.at[field]+w:][:n]
	}
	e.text = appendCanonical(e.text[:0], e.codec.fields[field].Type, e.rec[e.at[field]:])
	return e.text
}

// leaves reports whether the delete or consent field of the row means that the person is not a member.
func (e *encoder) leaves() bool {
	for _, i := range e.codec.roleFields {
		null := e.at[i] < 0
		switch f := &e.codec.fields[i]; f.Role {
		case audience.RoleDelete:
			if !null && truth(e.textOf(i)) {
				return true
			}
		case audience.RoleConsent:
			if null || !slices.Contains(f.ConsentValues, string(e.textOf(i))) {
				return true
			}
		}
	}
	return false
}

// truth reports whether a delete flag is set: true, a number other than zero, or a text with such a value.
func truth(text []byte) bool {
	s := strings.TrimSpace(string(text))
	switch strings.ToLower(s) {
	case "true", "t", "yes", "y":
		return true
	}
	n, err := strconv.ParseFloat(s, 64)
	return err == nil && n != 0
}

// decoder appends payloads to Arrow builders, one per field. The builders must have enough capacity.
type decoder struct {
	codec *rowCodec
	cols  []array.Builder
}

// append decodes one payload, which follows the head of a record, and returns what follows the values of the fields.
func (d *decoder) append(payload []byte) (rest []byte) {
	nulls := payload[:d.codec.nullBytes]
	p := payload[d.codec.nullBytes:]
	for i, b := range d.cols {
		if nulls[i/8]&(1<<(i%8)) != 0 {
			b.AppendNull()
			continue
		}
		switch b := b.(type) {
		case *array.StringBuilder:
			n, w := binary.Uvarint(p)
			b.BinaryBuilder.Append(p[w : w+int(n)])
			p = p[w+int(n):]
		case *array.Int64Builder:
			b.UnsafeAppend(int64(binary.LittleEndian.Uint64(p)))
			p = p[8:]
		case *array.TimestampBuilder:
			b.UnsafeAppend(arrow.Timestamp(binary.LittleEndian.Uint64(p)))
			p = p[8:]
		case *array.Float64Builder:
			b.UnsafeAppend(math.Float64frombits(binary.LittleEndian.Uint64(p)))
			p = p[8:]
		case *array.Int32Builder:
			b.UnsafeAppend(int32(binary.LittleEndian.Uint32(p)))
			p = p[4:]
		case *array.Date32Builder:
			b.UnsafeAppend(arrow.Date32(binary.LittleEndian.Uint32(p)))
			p = p[4:]
		case *array.BooleanBuilder:
			b.UnsafeAppend(p[0] != 0)
			p = p[1:]
		default:
			panic(fmt.Sprintf("ingest: a dataset with a column built by %T", b))
		}
	}
	return p
}

// secondaryKeys appends the keys of the row's secondary identities to dst, from the payload of a record. The member's
// own key and duplicates are left out.
func (c *rowCodec) secondaryKeys(dst []identity.Key, payload []byte, member identity.Key) []identity.Key {
	nulls, p := payload[:c.nullBytes], payload[c.nullBytes:]
	next := 0
	for i := 0; next < len(c.secondary); i++ {
		wanted := c.secondary[next].field == i
		if wanted {
			next++
		}
		if nulls[i/8]&(1<<(i%8)) != 0 {
			continue
		}
		if wanted {
			dst = c.addKey(dst, next-1, p, member)
		}
		p = p[valueSize(c.fields[i].Type, p):]
	}
	return dst
}

// addKey appends the key of the n-th secondary identity. p begins with its encoded value. An empty identity, the
// member's own key, and duplicates are left out.
func (c *rowCodec) addKey(keys []identity.Key, n int, p []byte, member identity.Key) []identity.Key {
	id := c.secondary[n]
	norm := identity.Normalise(id.namespace, appendCanonical(nil, c.fields[id.field].Type, p), nil)
	if len(norm) == 0 {
		return keys
	}
	k := identity.KeyOf(id.namespace, norm)
	if k == member || slices.Contains(keys, k) {
		return keys
	}
	return append(keys, k)
}

// stateKeys appends the keys of the secondary identities of row i of the state. If i is -1, there are none.
func (c *rowCodec) stateKeys(dst []identity.Key, st *lake.StateRows, i int, member identity.Key) []identity.Key {
	if i < 0 {
		return dst
	}
	for n := range c.secondary {
		if col, row := st.Identity(n, i); !col.IsNull(row) {
			v := valuesOf(col)
			dst = c.addKey(dst, n, v.append(nil, row), member)
		}
	}
	return dst
}

// among calls found with each of the keys that row i of the state has.
func (c *rowCodec) among(st *lake.StateRows, i int, keys map[identity.Key]bool, found func(identity.Key)) {
	var own [8]identity.Key
	for _, k := range c.stateKeys(append(own[:0], st.IDs[i]), st, i, st.IDs[i]) {
		if keys[k] {
			found(k)
		}
	}
}

// valueSize returns the number of bytes of a value of type t at the start of p.
func valueSize(t audience.Type, p []byte) int {
	switch t {
	case audience.String:
		n, w := binary.Uvarint(p)
		return w + int(n)
	case audience.Integer, audience.Date:
		return 4
	case audience.Boolean:
		return 1
	}
	return 8
}

// appendCanonical appends the canonical text of the encoded value at the start of p. Identities are looked up by this text.
func appendCanonical(dst []byte, t audience.Type, p []byte) []byte {
	switch t {
	case audience.String:
		n, w := binary.Uvarint(p)
		return append(dst, p[w:w+int(n)]...)
	case audience.Long:
		return strconv.AppendInt(dst, int64(binary.LittleEndian.Uint64(p)), 10)
	case audience.Integer:
		return strconv.AppendInt(dst, int64(int32(binary.LittleEndian.Uint32(p))), 10)
	case audience.Number:
		return strconv.AppendFloat(dst, math.Float64frombits(binary.LittleEndian.Uint64(p)), 'f', -1, 64)
	case audience.Boolean:
		return strconv.AppendBool(dst, p[0] != 0)
	case audience.Date:
		return arrow.Date32(binary.LittleEndian.Uint32(p)).ToTime().AppendFormat(dst, time.DateOnly)
	}
	return time.UnixMicro(int64(binary.LittleEndian.Uint64(p))).UTC().AppendFormat(dst, time.RFC3339Nano)
}
