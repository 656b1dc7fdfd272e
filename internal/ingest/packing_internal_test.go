package ingest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/zeebo/xxh3"

	"roster/internal/audience"
)

// packingFields are fields of all types, n times.
func packingFields(n int) *rowCodec {
	a := &audience.Audience{}
	for range n {
		for _, t := range audience.Types {
			a.Fields = append(a.Fields, audience.Field{Name: fmt.Sprint(len(a.Fields)), Type: t})
		}
	}
	return newRowCodec(a)
}

// packingRecord returns a record of random values, some of which are null. Texts repeat, or share their start or end
// with others, or are long.
func packingRecord(c *rowCodec, rnd *rand.Rand, order uint64) []byte {
	rec := make([]byte, headSize+c.nullBytes)
	binary.BigEndian.PutUint64(rec, rnd.Uint64())
	binary.LittleEndian.PutUint64(rec[offOrder:], order)
	rec[offFlags] = byte(rnd.IntN(2)) * flagLeaves
	text := func(s string) { rec = append(binary.AppendUvarint(rec, uint64(len(s))), s...) }
	wide := func() uint64 {
		return [...]uint64{0, math.MaxUint64, 1 << 63, 1<<63 - 1, rnd.Uint64(), rnd.Uint64N(1000)}[rnd.IntN(6)]
	}
	for i, f := range c.fields {
		switch {
		case rnd.IntN(10) == 0:
			rec[headSize+i/8] |= 1 << (i % 8)
		case f.Type == audience.String:
			switch n := rnd.IntN(1e6); n % 7 {
			case 0:
				text("")
			case 1, 2:
				text(fmt.Sprintf("city %d", n%50))
			case 3:
				text(fmt.Sprintf("%d@example.org", n))
			case 4:
				text(strings.Repeat("x", n%200))
			case 5:
				text(fmt.Sprintf("abcdefgh%d", n))
			case 6:
				text(strings.Repeat("xy", n%20))
			}
		case f.Type == audience.Integer, f.Type == audience.Date:
			rec = binary.LittleEndian.AppendUint32(rec, uint32(wide()))
		case f.Type == audience.Boolean:
			rec = append(rec, byte(rnd.IntN(2)))
		case f.Type == audience.DateTime && rnd.IntN(2) == 0:
			rec = binary.LittleEndian.AppendUint64(rec, uint64(rnd.Int64N(4e9)-2e9)*1e6)
		case f.Type == audience.Number && rnd.IntN(9) > 0:
			v := float64(rnd.IntN(1e6)-5e5) / [...]float64{1, 100, 1e5, 1e12}[rnd.IntN(i%4+1)]
			rec = binary.LittleEndian.AppendUint64(rec, math.Float64bits(v))
		default:
			rec = binary.LittleEndian.AppendUint64(rec, wide())
		}
	}
	binary.LittleEndian.PutUint64(rec[offContent:], xxh3.Hash(rec[headSize:]))
	binary.LittleEndian.PutUint32(rec[offLength:], uint32(len(rec)-headSize))
	return rec
}

// TestPacking packs and unpacks records of all types, with enough memory for dictionaries, with little, and with none.
func TestPacking(t *testing.T) {
	t.Parallel()
	for _, memory := range []int{1 << 20, 20 << 10, 0} {
		for _, times := range []int{1, 40} {
			c := packingFields(times)
			rnd := rand.New(rand.NewPCG(uint64(memory), uint64(times)))
			packers := []*packer{newPacker(c.packing(memory), 0), newPacker(c.packing(memory), 1)}
			var blocks, packed [][]byte
			for i := range 2000 / times {
				var block []byte
				for range rnd.IntN(20) {
					block = append(block, packingRecord(c, rnd, rnd.Uint64()>>rnd.IntN(64))...)
				}
				blocks = append(blocks, block)
				packed = append(packed, bytes.Clone(packers[i%2].pack(block)))
			}
			var u unpacker
			for i, b := range packed {
				got, err := u.unpack(make([]byte, 0, len(blocks[i])+slack), b, packers)
				if err != nil || !bytes.Equal(got, blocks[i]) {
					t.Fatalf("%d bytes of memory, %d columns: block %d differs: %v", memory, len(c.fields), i, err)
				}
				if len(blocks[i]) > 0 {
					b[len(b)-1]++ // of the last value, or of the last bitmap
					if got, err := u.unpack(make([]byte, 0, len(blocks[i])+slack), b, packers); err == nil {
						t.Fatalf("block %d is damaged, and has %d bytes without an error", i, len(got))
					}
				}
			}
		}
	}
}

// TestPackingRepeatedTexts packs texts of which few differ into far fewer bytes, and stops to look for repeated texts in
// a field whose texts all differ.
func TestPackingRepeatedTexts(t *testing.T) {
	t.Parallel()
	c := newRowCodec(&audience.Audience{Fields: []audience.Field{{Name: "city", Type: audience.String}, {Name: "code", Type: audience.String}}})
	p := newPacker(c.packing(1<<20), 0)
	rnd := rand.New(rand.NewPCG(1, 2))
	size, packed := 0, 0
	for range 1000 {
		var block []byte
		for range 20 {
			rec := make([]byte, headSize+1)
			for _, s := range []string{fmt.Sprintf("the city number %d", rnd.IntN(2000)), fmt.Sprintf("%016x", rnd.Uint64())} {
				rec = append(binary.AppendUvarint(rec, uint64(len(s))), s...)
			}
			binary.LittleEndian.PutUint32(rec[offLength:], uint32(len(rec)-headSize))
			block = append(block, rec...)
		}
		size, packed = size+len(block), packed+len(p.pack(block))
	}
	if packed > size*6/10 {
		t.Errorf("%d bytes are packed into %d", size, packed)
	}
	if p.texts[0].off || !p.texts[1].off {
		t.Errorf("dictionaries are off: %t, %t; want false, true", p.texts[0].off, p.texts[1].off)
	}
}
