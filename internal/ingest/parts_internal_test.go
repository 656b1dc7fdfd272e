package ingest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/zeebo/xxh3"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/memory"
	"roster/internal/profile"
)

// partsWorld returns an attempt with one worker and a spill with one bucket. The bucket is larger than the memory of a
// worker.
func partsWorld(t *testing.T, kind recordKind, packing *packing) *attempt {
	t.Helper()
	p := &Pipeline{Workers: 1, Memory: memory.New(28 << 20)}
	share, err := p.share(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a := &attempt{p: p, share: share}
	if a.spill, err = newSpill(t.TempDir(), kind, packing, 0, share, 1<<20, 1); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.spill.close() })
	return a
}

// testRecord returns a record of one field, a text of the given size.
func testRecord(key uint64, line, size int) (identity.Key, []byte) {
	rec := binary.AppendUvarint(make([]byte, headSize+1), uint64(size))
	rec = append(rec, make([]byte, size)...)
	binary.BigEndian.PutUint64(rec, key)
	binary.LittleEndian.PutUint64(rec[offOrder:], uint64(line))
	binary.LittleEndian.PutUint64(rec[offContent:], xxh3.Hash(rec[headSize:]))
	binary.LittleEndian.PutUint32(rec[offLength:], uint32(len(rec)-headSize))
	return identity.Key(rec[:16]), rec
}

// TestEachPart sorts a bucket in parts. The bucket has many identities, one of them has very many rows, and a few rows
// are larger than the memory.
func TestEachPart(t *testing.T) {
	t.Parallel()
	t.Run("plain", func(t *testing.T) { testEachPart(t, nil) })
	codec := newRowCodec(&audience.Audience{Fields: []audience.Field{{Name: "text", Type: audience.String}}})
	t.Run("packed", func(t *testing.T) { testEachPart(t, codec.packing(64<<10)) })
}

func testEachPart(t *testing.T, packing *packing) {
	t.Parallel()
	a := partsWorld(t, recordRows, packing)
	w, rnd := a.spill.writer(), rand.New(rand.NewPCG(1, 1))
	last, rows := map[uint64]int{}, 0
	for line := range 150_000 {
		key, size := rnd.Uint64N(60_000)<<40, 60
		if line%2 == 0 {
			key = 1 << 60 // between the other keys
		}
		if line%50_000 == 7 {
			size = 7 << 20
		}
		k, rec := testRecord(key, line, size)
		if err := w.write(&k, rec); err != nil {
			t.Fatal(err)
		}
		last[key], rows = line, rows+1
	}
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	keys := slices.Sorted(func(yield func(uint64) bool) {
		for k := range last {
			if !yield(k) {
				return
			}
		}
	})
	files, from, parts := make([]audience.Rows, 1), identity.Key{}, 0
	err := a.eachPart(0, &mergeBuffers{}, files, true, func(p part) error {
		if p.lo != from {
			return fmt.Errorf("part %d begins at %x, not at %x", parts, p.lo, from)
		}
		if p.hi != nil {
			from = *p.hi
		}
		parts++
		for _, r := range p.rows {
			if r.hi != keys[0] || r.line() != int64(last[r.hi]) {
				return fmt.Errorf("row of %x at line %d, want %x at %d", r.hi, r.line(), keys[0], last[keys[0]])
			}
			if k, rec := r.key(), p.buf[r.at:]; identity.Key(rec[:16]) != k {
				return fmt.Errorf("the record of %x is that of %x", k, rec[:16])
			}
			if k := r.key(); p.lo.Compare(k) > 0 || p.hi != nil && p.hi.Compare(k) <= 0 {
				return fmt.Errorf("%x is not in its part", k)
			}
			keys = keys[1:]
		}
		return nil
	})
	if err != nil || len(keys) > 0 || parts < 3 {
		t.Fatalf("%v; %d keys left, %d parts", err, len(keys), parts)
	}
	if got, want := files[0].Duplicates, int64(rows-len(last)); got != want {
		t.Errorf("%d duplicates, want %d", got, want)
	}
}

// TestChangesByParts sorts very many changes of one identity in parts, such as a telephone number that all members
// share.
func TestChangesByParts(t *testing.T) {
	t.Parallel()
	a := partsWorld(t, recordChanges, nil)
	c := &changes{run: a, spill: a.spill}
	out, rnd := changeSpill{spill: a.spill, w: a.spill.writer()}, rand.New(rand.NewPCG(2, 2))
	const n = 100_000
	for i := range n {
		ch := profile.Change{Since: int64(i), Seen: 1}
		binary.BigEndian.PutUint64(ch.Member[:], rnd.Uint64())
		if err := out.write(ch); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.w.flush(); err != nil {
		t.Fatal(err)
	}
	var file memoryFile
	w, err := newDeltaWriter(&file, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.writeBucket(w, 0, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	r, err := newDeltaReader(&file, "part", 0)
	if err != nil {
		t.Fatal(err)
	}
	var before identity.Key
	for i := range n {
		ch, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && slices.Compare(before[:], ch.Member[:]) >= 0 {
			t.Fatalf("change %d is not in order", i)
		}
		before = ch.Member
	}
}
