package parquet

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/klauspost/compress/snappy"
	"github.com/pierrec/lz4/v4"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/tabulartest"
)

// Types and codecs by their numbers in the format.
var (
	textType  = parquet.Types.ByteArray
	fixedType = parquet.Types.FixedLenByteArray
	longType  = parquet.Types.Int64
)

const (
	snappyCodec = 1
	lzoCodec    = 3
	lz4Codec    = 5
	zstdCodec   = 6
)

func readV(b []byte, memory int64) tabulartest.Result {
	return readParquet(tabulartest.Stored(b), []tabular.Column{{Name: "v", Type: audience.String}}, tabular.Options{Workers: 2, MaxMemory: memory})
}

// TestParquetClaims reads files that claim more than there is, each in little memory.
func TestParquetClaims(t *testing.T) {
	children, err := hex.DecodeString("504152311502192c48017315feffffff0f00150c250018046d61696c001602190c001e00000050415231")
	if err != nil {
		t.Fatal(err)
	}
	text, ab := plainTextsOf("ab"), []byte("ab")
	lying := func(p madePage, plain int64) madePage { p.plain = plain; return p }
	many := func(n int64) thriftField {
		return thriftField{2, thriftList, binary.AppendUvarint([]byte{0xf0 | thriftStruct}, uint64(n))}
	}
	deep := bytes.Repeat([]byte{thriftStruct | 1<<4}, 1<<20)
	lists := bytes.Repeat([]byte{1<<4 | thriftList}, 1<<20)
	delta := func(block, minis, count uint64, rest ...byte) []byte {
		b := binary.AppendUvarint(nil, block)
		b = binary.AppendUvarint(b, minis)
		return append(append(binary.AppendUvarint(b, count), 0), rest...)
	}
	arena := append(deltasOf(append([]int64{0}, slices.Repeat([]int64{15 << 20}, 999)...)...), deltasOf(append([]int64{15 << 20}, make([]int64, 999)...)...)...)
	arena = append(arena, make([]byte, 15<<20)...)
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"children of the root":       {children, "PARQUET the Parquet file is damaged (its metadata claims more elements than it has bytes)"},
		"elements of the schema":     {withFooter([]byte(Magic), message(num(1, 1), many(1<<31-1))), "PARQUET the Parquet file is damaged (its metadata claims"},
		"nested structs":             {withFooter([]byte(Magic), append([]byte{9<<4 | thriftStruct}, deep...)), "PARQUET the Parquet file is damaged (its metadata is nested too deeply)"},
		"nested lists":               {withFooter([]byte(Magic), append([]byte{9<<4 | thriftList}, lists...)), "PARQUET the Parquet file is damaged (its metadata is nested too deeply)"},
		"a map":                      {withFooter([]byte(Magic), append([]byte{9<<4 | thriftMap}, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x88)), "PARQUET the Parquet file is damaged (its metadata"},
		"a string":                   {withFooter([]byte(Magic), append([]byte{9<<4 | thriftBinary}, 0xff, 0xff, 0xff, 0xff, 0x7f)), "PARQUET the Parquet file is damaged (its metadata ends"},
		"no schema":                  {withFooter([]byte(Magic), message(num(1, 1))), "PARQUET the Parquet file is damaged (its footer has no schema)"},
		"no footer":                  {withFooter([]byte(Magic), nil), "PARQUET the Parquet file is damaged"},
		"fewer elements":             {withFooter([]byte(Magic), message(list(2, thriftStruct, group("s", 1)))), "PARQUET the Parquet file is damaged (its"},
		"more elements":              {withFooter([]byte(Magic), message(list(2, thriftStruct, group("s", 0), leaf("v", textType)))), "PARQUET the Parquet file is damaged (its schema has more"},
		"negative children":          {withFooter([]byte(Magic), message(list(2, thriftStruct, group("s", -1)))), "PARQUET the Parquet file is damaged"},
		"a page":                     {oneColumn(1, textType, snappyCodec, nil, lying(pageV1(1, encodingPlain, snappy.Encode(nil, text)), 255<<20)), "PARQUET the Parquet file is damaged (column \"v\": a page of"},
		"a page of zstd":             {oneColumn(1, textType, zstdCodec, nil, lying(pageV1(1, encodingDeltaLength, []byte("\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00")), 200<<20)), "PARQUET reading the Parquet file needs more than 100 MiB"},
		"an enormous page":           {oneColumn(1, textType, zstdCodec, nil, lying(pageV1(1, encodingPlain, ab), 1<<31-1)), `PARQUET column "v" has a page of 2047 MiB; at most`},
		"a negative page":            {oneColumn(1, textType, zstdCodec, nil, lying(pageV1(1, encodingPlain, ab), -1)), `PARQUET the Parquet file is damaged (column "v": a page has a negative size)`},
		"values of a page":           {oneColumn(1, textType, 0, nil, pageV1(1<<31-1, encodingPlain, text)), `PARQUET the Parquet file is damaged (column "v": it has more values`},
		"rows":                       {oneColumn(1<<39, textType, 0, nil, pageV1(1<<31-1, encodingPlain, text)), "PARQUET the Parquet file has more than 1000 times as many rows as bytes"},
		"negative rows":              {oneColumn(-1, textType, 0, nil, pageV1(1, encodingPlain, text)), "PARQUET the Parquet file is damaged (row group 1 has an impossible"},
		"values of a dictionary":     {oneColumn(1, textType, 0, nil, dictionaryPage(1<<31-1, text), pageV1(1, encodingDictionary, []byte{1, 2, 0})), `PARQUET the Parquet file is damaged (column "v": its dictionary`},
		"an index of the dictionary": {oneColumn(1, textType, 0, nil, dictionaryPage(1, text), pageV1(1, encodingDictionary, []byte{31, 2, 0xff, 0xff, 0xff, 0x7f})), `PARQUET the Parquet file is damaged`},
		"no dictionary":              {oneColumn(1, textType, 0, nil, pageV1(1, encodingDictionary, []byte{1, 2, 0})), `PARQUET the Parquet file is damaged (column "v": it has no dictionary)`},
		"two dictionaries":           {oneColumn(1, textType, 0, nil, dictionaryPage(1, text), dictionaryPage(1, text)), `PARQUET the Parquet file is damaged (column "v": it has two`},
		"a block of numbers":         {oneColumn(2, longType, 0, nil, pageV1(2, encodingDelta, delta(1<<32-128, 1, 2, 0, 0))), `PARQUET the Parquet file is damaged (column "v": its delta-packed`},
		"miniblocks":                 {oneColumn(2, longType, 0, nil, pageV1(2, encodingDelta, delta(1<<32-128, 1<<27-4, 2, 0, 0))), `PARQUET the Parquet file is damaged (column "v": its delta-packed`},
		"numbers":                    {oneColumn(2, longType, 0, nil, pageV1(2, encodingDelta, delta(128, 4, 1<<31, 0, 0, 0, 0, 0))), `PARQUET the Parquet file is damaged`},
		"lengths":                    {oneColumn(40<<20, textType, 0, []thriftField{}, append(slices.Repeat([]madePage{pageV1(1, encodingPlain, plainTextsOf(strings.Repeat("x", 60<<10)))}, 1), pageV1(40<<20-1, encodingDeltaLength, delta(128, 4, 40<<20-1)))...), `PARQUET reading the Parquet file needs more than 100 MiB`},
		"texts by what they share":   {oneColumn(1000, textType, 0, nil, pageV1(1000, encodingDeltaTexts, arena)), `PARQUET column "v" has a page of 15000 MiB`},
		"a first text that shares":   {oneColumn(1, textType, 0, nil, pageV1(1, encodingDeltaTexts, append(deltasOf(5), deltasOf(2)...))), `PARQUET the Parquet file is damaged (column "v": its delta-packed`},
		"levels of version 2":        {oneColumn(1, textType, 0, nil, pageV2(1, encodingPlain, 1000, text)), `PARQUET the Parquet file is damaged (column "v": the levels`},
		"levels of version 1":        {oneColumn(1, textType, 0, []thriftField{num(3, 1)}, pageV1(1, encodingPlain, []byte{0xff, 0xff, 0xff, 0x7f, 1})), `PARQUET the Parquet file is damaged (column "v": the levels`},
		"a text":                     {oneColumn(1, textType, 0, nil, pageV1(1, encodingPlain, []byte{0xff, 0xff, 0xff, 0x7f, 1})), `PARQUET the Parquet file is damaged`},
		"a length of all values":     {oneColumn(1, fixedType, 0, []thriftField{num(2, 1<<31-1)}, pageV1(1, encodingPlain, ab)), `PARQUET column "v" has the type FIXED_LEN_BYTE_ARRAY of 2147483647 bytes, which is not supported`},
		"digits":                     {oneColumn(1, longType, 0, []thriftField{num(6, 5), num(7, 1<<30), num(8, 1<<30)}, pageV1(1, encodingPlain, make([]byte, 8))), `PARQUET column "v" has the type DECIMAL`},
		"nothing but values":         {oneColumn(1, textType, 0, []thriftField{sub(10, sub(logicalNull))}, pageV1(1, encodingPlain, text)), `PARQUET the Parquet file is damaged (column "v"`},
		"a header of a page":         {oneColumn(1, textType, 0, nil, madePage{typ: pageData, header: many(1 << 30)}), `PARQUET the Parquet file is damaged (column "v": the header of a page`},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := readV(c.file, 100<<20)
		runtime.ReadMemStats(&after)
		if !strings.HasPrefix(got.Err+" "+got.Message, c.want) {
			t.Errorf("%s: %s %s, want %s", name, got.Err, got.Message, c.want)
		}
		if took := after.TotalAlloc - before.TotalAlloc - uint64(len(c.file)); took > 64<<20 {
			t.Errorf("%s: took %d MiB", name, took>>20)
		}
		for _, err := range []error{inferMade(t, c.file), sizeMade(t, c.file)} {
			if err != nil && (strings.Contains(err.Error(), "panic") || strings.Contains(err.Error(), "nil pointer")) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestParquetNestedSchemas reads columns beside a schema that is nested deeply, or widely.
func TestParquetNestedSchemas(t *testing.T) {
	deep := [][]byte{leaf("v", textType)}
	for range 500_000 {
		deep = append(deep, group("g", 1))
	}
	deep = append(deep, leaf("x", textType))
	wide := [][]byte{leaf("v", textType), group("g", 500_000)}
	for range 500_000 {
		wide = append(wide, leaf("x", textType))
	}
	for name, schema := range map[string][][]byte{"deep": deep, "wide": wide} {
		b := madeFile(1, schema, 2, madeChunk{typ: textType, pages: []madePage{pageV1(1, encodingPlain, plainTextsOf("a"))}})
		got := readV(b, 0)
		if got.Values() != `"a"` || strings.Join(got.Header.Extra, " ") != "g" {
			t.Errorf("%s: %s %s %q", name, got.Values(), got.Message, got.Header.Extra)
		}
	}
}

// TestParquetUnusual reads what is valid and not usual.
func TestParquetUnusual(t *testing.T) {
	t.Parallel()
	text := plainTextsOf("ab", "cd")
	optional := num(3, 1)
	nulls := []byte{4, 0} // the level 0 twice
	v2 := func(body []byte, plain int64) madePage {
		p := pageV2(2, encodingPlain, len(nulls), append(slices.Clone(nulls), body...))
		p.plain = plain + int64(len(nulls))
		return p
	}
	frames := binary.BigEndian.AppendUint32(nil, uint32(len(text)))
	block := make([]byte, lz4.CompressBlockBound(len(text)))
	n, err := lz4.CompressBlock(text, block, nil)
	if err != nil || n == 0 {
		block, n = append([]byte{byte(len(text) << 4)}, text...), len(text)+1
	}
	frames = append(binary.BigEndian.AppendUint32(frames, uint32(n)), block[:n]...)
	packed := func(p madePage, plain int) madePage { p.plain = int64(plain); return p }
	unknown := sub(10, sub(77, num(1, 5)))
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"an unknown logical type":                {oneColumn(2, textType, 0, []thriftField{unknown}, pageV1(2, encodingPlain, text)), `"ab" "cd"`},
		"an unknown logical type beside another": {oneColumn(2, textType, 0, []thriftField{unknown, num(6, 0)}, pageV1(2, encodingPlain, text)), `"ab" "cd"`},
		"no value, not compressed":               {oneColumn(2, textType, 0, []thriftField{optional}, v2(nil, 0)), `(null) (null)`},
		"no value, snappy":                       {oneColumn(2, textType, snappyCodec, []thriftField{optional}, v2(nil, 0)), `(null) (null)`},
		"no value, zstd":                         {oneColumn(2, longType, zstdCodec, []thriftField{optional}, v2(nil, 0)), `(null) (null)`},
		"no value and no dictionary":             {oneColumn(2, textType, 0, []thriftField{optional}, pageV2(2, encodingDictionary, 2, nulls)), `(null) (null)`},
		"no value, delta-packed":                 {oneColumn(2, longType, 0, []thriftField{optional}, pageV2(2, encodingDelta, 2, nulls)), `(null) (null)`},
		"texts by what they share":               {oneColumn(3, textType, 0, nil, pageV1(3, encodingDeltaTexts, slices.Concat(deltasOf(0, 1, 2), deltasOf(2, 1, 0), []byte("abc")))), `"ab" "ac" "ac"`},
		"of a fixed length":                      {oneColumn(2, fixedType, 0, []thriftField{num(2, 2)}, pageV1(2, encodingDeltaTexts, slices.Concat(deltasOf(0, 1), deltasOf(2, 1), []byte("abc")))), `"ab" "ac"`},
		"of a fixed length behind a dictionary":  {oneColumn(3, fixedType, 0, []thriftField{num(2, 2)}, dictionaryPage(1, []byte("xy")), pageV1(1, encodingDictionary, []byte{1, 2, 0}), pageV1(2, encodingDeltaTexts, slices.Concat(deltasOf(0, 1), deltasOf(2, 1), []byte("abc")))), `"xy" "ab" "ac"`},
		"a page without values":                  {oneColumn(2, textType, 0, nil, pageV1(0, encodingPlain, nil), pageV1(2, encodingPlain, text)), `"ab" "cd"`},
		"a page of another kind":                 {oneColumn(2, textType, 0, nil, madePage{typ: 9, header: num(60, 1), body: []byte("?")}, pageV1(2, encodingPlain, text)), `"ab" "cd"`},
		"LZ4 as Hadoop writes it":                {oneColumn(2, textType, lz4Codec, nil, packed(pageV1(2, encodingPlain, frames), len(text))), `"ab" "cd"`},
		"LZ4 as one block":                       {oneColumn(2, textType, lz4Codec, nil, packed(pageV1(2, encodingPlain, block[:n]), len(text))), `"ab" "cd"`},
		"LZO":                                    {oneColumn(2, textType, lzoCodec, nil, pageV1(2, encodingPlain, text)), "PARQUET"},
		"an encoding that is not known":          {oneColumn(2, textType, 0, nil, pageV1(2, 11, text)), "PARQUET"},
		"an encoding of other values":            {oneColumn(2, textType, 0, nil, pageV1(2, encodingSplit, text)), "PARQUET"},
		"values in another file":                 {madeFile(2, [][]byte{leaf("v", textType)}, 1, madeChunk{typ: textType, pages: []madePage{pageV1(2, encodingPlain, text)}, more: []thriftField{str(1, "a.parquet")}}), "PARQUET"},
		"no row":                                 {madeFile(0, [][]byte{leaf("v", textType)}, 1, madeChunk{typ: textType}), ""},
		"no row group":                           {withFooter([]byte(Magic), message(list(2, thriftStruct, group("s", 1), leaf("v", textType)))), ""},
		"a group without children":               {madeFile(2, [][]byte{message(str(4, "g")), leaf("v", textType), group("h", 0)}, 3, madeChunk{typ: textType, pages: []madePage{pageV1(2, encodingPlain, text)}}), `"ab" "cd"`},
	} {
		got := readV(c.file, 0)
		if got.Values() != c.want {
			t.Errorf("%s: %s %s, want %s", name, got.Values(), got.Message, c.want)
		}
		if c.want == "PARQUET" && (strings.Contains(got.Message, "damaged") || !strings.Contains(got.Message, `column "v"`)) {
			t.Errorf("%s: %s", name, got.Message)
		}
	}
}

// TestParquetUnwanted reads a column beside others that cannot be read.
func TestParquetUnwanted(t *testing.T) {
	t.Parallel()
	good := madeChunk{typ: textType, pages: []madePage{pageV1(1, encodingPlain, plainTextsOf("a"))}}
	for name, c := range map[string]struct {
		element []byte
		chunk   madeChunk
	}{
		"an unknown physical type": {leaf("x", 99), madeChunk{typ: 99}},
		"a wrong length":           {leaf("x", fixedType), madeChunk{typ: fixedType}},
		"a wrong decimal":          {leaf("x", longType, num(6, 5)), madeChunk{typ: longType}},
		"an unknown type":          {leaf("x", textType, sub(10, sub(99))), madeChunk{typ: textType}},
		"an unknown repetition":    {leaf("x", textType, num(3, 9)), madeChunk{typ: textType}},
		"an unknown codec":         {leaf("x", textType), madeChunk{typ: textType, codec: 42}},
		"a place nowhere":          {leaf("x", textType), madeChunk{typ: textType, more: []thriftField{sub(3, num(9, 1<<60), num(7, -5))}}},
		"encryption":               {leaf("x", textType), madeChunk{typ: textType, more: []thriftField{sub(8, sub(1))}}},
		"malformed pages":          {leaf("x", textType), madeChunk{typ: textType, pages: []madePage{pageV1(7, 42, []byte("??"))}}},
	} {
		for _, first := range []bool{true, false} {
			elements, chunks := [][]byte{c.element, leaf("v", textType)}, []madeChunk{c.chunk, good}
			if !first {
				slices.Reverse(elements)
				slices.Reverse(chunks)
			}
			if got := readV(madeFile(1, elements, 2, chunks...), 0); got.Values() != `"a"` {
				t.Errorf("%s: %s %s", name, got.Values(), got.Message)
			}
		}
		wanted := madeFile(1, [][]byte{leaf("v", textType), c.element}, 2, good, c.chunk)
		got := readParquet(tabulartest.Stored(wanted), []tabular.Column{{Name: "v", Type: audience.String}, {Name: "x", Type: audience.String}}, tabular.Options{})
		if got.Err != "PARQUET" || !strings.Contains(got.Message, `column "x"`) {
			t.Errorf("%s, wanted: %s %s", name, got.Err, got.Message)
		}
	}
}

// TestParquetSums changes each byte of pages that have checksums.
func TestParquetSums(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]madePage{
		"small":      pageV1(2, encodingPlain, plainTextsOf("ab", "cd")),
		"large":      pageV1(2, encodingPlain, plainTextsOf("ab", strings.Repeat("c", 2<<20))),
		"version 2":  pageV2(2, encodingPlain, 0, plainTextsOf("ab", "cd")),
		"dictionary": dictionaryPage(2, plainTextsOf("ab", "cd")),
	} {
		pages := []madePage{p}
		pages[0].sum = true
		if name == "dictionary" {
			pages = append(pages, pageV1(2, encodingDictionary, []byte{1, 3, 2}))
		}
		b := oneColumn(2, textType, 0, nil, pages...)
		if got := readV(b, 0); len(got.Rows) != 2 {
			t.Fatalf("%s: %s", name, got.Message)
		}
		start := bytes.Index(b, p.body)
		for i := start; i < start+len(p.body); i += 1 + len(p.body)/100 {
			b[i] ^= 1
			if got := readV(b, 0); got.Err != "PARQUET" || !strings.Contains(got.Message, "damaged") {
				t.Errorf("%s, byte %d: %s %s", name, i-start, got.Values(), got.Message)
			}
			b[i] ^= 1
		}
	}
}

// TestParquetSharedSpace reads two columns of pages that are small as they are stored and large as plain texts, in turns.
func TestParquetSharedSpace(t *testing.T) {
	t.Parallel()
	const n, long = 300, 10_000
	page := func(first string) madePage {
		prefixes, suffixes := []int64{0}, []int64{long}
		text := []byte(strings.Repeat(first, long))
		for i := 1; i < n; i++ {
			prefixes, suffixes = append(prefixes, long-1), append(suffixes, 1)
			text = append(text, byte('0'+i%10))
		}
		return pageV1(n, encodingDeltaTexts, slices.Concat(deltasOf(prefixes...), deltasOf(suffixes...), text))
	}
	pack := func(p madePage) madePage { p.body = snappy.Encode(nil, p.body); return p }
	chunk := func(first string) madeChunk {
		return madeChunk{typ: textType, codec: snappyCodec, pages: []madePage{pack(page(first))}}
	}
	b := madeFile(n, [][]byte{leaf("v", textType), leaf("w", textType)}, 2, chunk("v"), chunk("w"))
	got := readParquet(tabulartest.Stored(b), tabulartest.Text("v", "w"), tabular.Options{Workers: 1})
	if got.Err != "" || len(got.Rows) != n {
		t.Fatal(len(got.Rows), got.Message)
	}
	for i, r := range got.Rows {
		for k, first := range []string{"v", "w"} {
			want := strings.Repeat(first, long)
			if i > 0 {
				want = want[:long-1] + string(rune('0'+i%10))
			}
			if r.Values[k] != `"`+want+`"` {
				t.Fatalf("row %d, column %s: %.40s…", i+1, first, r.Values[k])
			}
		}
	}
}

// FuzzParquetFooter: what is held of a footer is no larger than a multiple of its bytes, whatever it claims.
func FuzzParquetFooter(f *testing.F) {
	for _, values := range []string{`["12","x",null]`, `[]`} {
		b := tabulartest.ParquetOf(f, tabulartest.Column(f, arrow.BinaryTypes.String, values), 3)
		n := int(binary.LittleEndian.Uint32(b[len(b)-8:]))
		f.Add(b[len(b)-8-n : len(b)-8])
	}
	f.Add([]byte{0x15, 0x02, 0x19, 0x2c, 0x48, 0x01, 0x73, 0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0x00})
	f.Fuzz(func(t *testing.T, raw []byte) {
		footer := parquetFooter{raw: raw}
		if footer.parse() != nil {
			return
		}
		held := int64(cap(footer.fields)) * int64(unsafe.Sizeof(parquetField{}))
		for i := range footer.fields {
			held += int64(len(footer.fields[i].name))
		}
		if held > 1000*int64(len(raw)) || footer.leaves > len(raw) {
			t.Errorf("%d bytes of a footer take %d bytes for %d columns, %d leaves", len(raw), held, len(footer.fields), footer.leaves)
		}
		_ = footer.eachGroup([]parquetColumn{{}}, func(int, int, int64, int64, []parquetChunk) error { return nil })
	})
}

// readParquet reads a Parquet file.
func readParquet(f tabular.File, columns []tabular.Column, opts tabular.Options) tabulartest.Result {
	return tabulartest.Collect(func(emit tabular.Emit) (tabular.Header, error) {
		return Read(context.Background(), f, columns, opts, emit)
	})
}

func inferMade(t *testing.T, b []byte) error {
	_, err := Infer(t.Context(), tabulartest.Stored(b))
	return err
}

func sizeMade(t *testing.T, b []byte) error {
	_, err := TextSize(t.Context(), tabulartest.Stored(b))
	return err
}
