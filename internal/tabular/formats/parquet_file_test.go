package formats

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/tabulartest"
	"roster/internal/tabular/value"
)

// TestParquetRows reads many rows, some of them rejects, from row groups of several sizes: numbers of rows and the
// order of rejects do not depend on how the file is cut.
func TestParquetRows(t *testing.T) {
	t.Parallel()
	const n = 20_000
	var emails, points []string
	for i := range n {
		emails = append(emails, fmt.Sprintf("p%d@example.com", i))
		points = append(points, strconv.Itoa(i))
		if i%1000 == 999 {
			emails[i] = ""
		}
		if i%700 == 699 {
			points[i] = "x"
		}
	}
	rec := tabulartest.PeopleRecord(t, emails, points)
	var want string
	for _, group := range []int64{n, 3000, 64} {
		b := tabulartest.ParquetOf(t, rec, group)
		for workers := 1; workers <= 3; workers++ {
			got := readFile(tabulartest.Stored(b), tabulartest.PeopleColumns, tabular.Options{Workers: workers})
			if got.Bytes != int64(len(b)) {
				t.Errorf("the batches stand for %d bytes of %d", got.Bytes, len(b))
			}
			shown := got.Shown()
			if want == "" {
				want = shown
			}
			if shown != want || got.Err != "" {
				t.Errorf("groups of %d rows, %d workers: other rows", group, workers)
			}
		}
	}
	if got := strings.Count(want, tabular.CodeType); got != n/700-n/7000 {
		t.Errorf("%d rows are TYPE", got)
	}
	if got := strings.Count(want, tabular.CodeIdentity); got != n/1000 {
		t.Errorf("%d rows are IDENTITY", got)
	}
}

func TestParquetRejects(t *testing.T) {
	t.Parallel()
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "points", Type: arrow.PrimitiveTypes.Float64, Nullable: true}, {Name: "other", Type: arrow.PrimitiveTypes.Int32}, {Name: "EMAIL", Type: arrow.BinaryTypes.Binary},
	}, nil))
	b.Field(0).(*array.Float64Builder).AppendValues([]float64{math.NaN(), 1.5, 3, 4}, []bool{true, true, true, false})
	b.Field(1).(*array.Int32Builder).AppendValues([]int32{1, 2, 3, 4}, nil)
	b.Field(2).(*array.BinaryBuilder).AppendValues([][]byte{[]byte("a\"\n"), []byte("\xff"), []byte(" \t"), []byte("d")}, nil)
	got := readFile(tabulartest.Stored(tabulartest.ParquetOf(t, b.NewRecordBatch(), 10)), tabulartest.PeopleColumns, tabular.Options{Workers: 1})
	want := []tabular.Reject{
		{Line: 1, Lines: 1, Offset: -1, Column: "points", Code: tabular.CodeType, Reason: value.ReasonOf(tabular.CodeType, audience.Long), Raw: []byte(`{"points":"NaN","EMAIL":"a\"\n"}`)},
		{Line: 2, Lines: 1, Offset: -1, Column: "points", Code: tabular.CodeType, Reason: value.ReasonOf(tabular.CodeType, audience.Long), Raw: []byte(`{"points":1.5,"EMAIL":"` + "\uFFFD" + `"}`)},
		{Line: 3, Lines: 1, Offset: -1, Column: "email", Code: tabular.CodeIdentity, Reason: value.ReasonOf(tabular.CodeIdentity, audience.String), Raw: []byte(`{"points":3,"EMAIL":" \t"}`)},
	}
	if !reflect.DeepEqual(got.Rejects, want) {
		t.Errorf("rejects\n%+v\nwant\n%+v", got.Rejects, want)
	}
	if got.Shown() == "" || fmt.Sprint(got.Rows) != `[{4 ["d" (null)]}]` || fmt.Sprint(got.Header.Extra) != "[other]" {
		t.Errorf("%+v", got)
	}
}

func TestParquetFormat(t *testing.T) {
	t.Parallel()
	f := audience.Format{NullValues: []string{"n/a", "-1", "NaN"}, DateFormats: []string{"dd.MM.yyyy", "yyyyMMdd"}}
	for _, c := range []struct {
		rec  arrow.RecordBatch
		typ  audience.Type
		want string
	}{
		{tabulartest.Column(t, arrow.BinaryTypes.String, `["n/a","13.05.2025","N/A"]`), audience.String, `(null) "13.05.2025" "N/A"`},
		{tabulartest.Column(t, arrow.BinaryTypes.String, `["n/a","13.05.2025"]`), audience.Date, `(null) 2025-05-13`},
		{tabulartest.Column(t, arrow.PrimitiveTypes.Int32, `[20250513,-1,7]`), audience.Date, `2025-05-13 (null) TYPE`},
		{tabulartest.Column(t, arrow.PrimitiveTypes.Int32, `[-1,7]`), audience.Integer, `(null) 7`},
	} {
		if got := readFile(tabulartest.Stored(tabulartest.ParquetOf(t, c.rec, 10)), []tabular.Column{{Name: "v", Type: c.typ}}, tabular.Options{Format: f}); got.Values() != c.want {
			t.Errorf("%s: %s, want %s", c.typ, got.Values(), c.want)
		}
	}
}

// TestParquetExtremes reads values at and beyond the ends of ranges.
func TestParquetExtremes(t *testing.T) {
	t.Parallel()
	const first, end = -719162, 2932897 // days of 0001-01-01 and 10000-01-01
	dates := array.NewDate32Builder(memory.DefaultAllocator)
	for _, d := range []arrow.Date32{first - 1, first, end - 1, end, math.MinInt32, math.MaxInt32} {
		dates.Append(d)
	}
	times := func(unit arrow.TimeUnit, values ...int64) arrow.Array {
		b := array.NewTimestampBuilder(memory.DefaultAllocator, &arrow.TimestampType{Unit: unit, TimeZone: "UTC"})
		for _, v := range values {
			b.Append(arrow.Timestamp(v))
		}
		return b.NewArray()
	}
	const day = int64(86400)
	for _, c := range []struct {
		values arrow.Array
		typ    audience.Type
		want   string
	}{
		{dates.NewArray(), audience.Date, "RANGE 0001-01-01 9999-12-31 RANGE RANGE RANGE"},
		{times(arrow.Millisecond, first*day*1000-1, first*day*1000, end*day*1000-1, end*day*1000, math.MinInt64, math.MaxInt64), audience.DateTime,
			"RANGE 0001-01-01T00:00:00Z 9999-12-31T23:59:59.999Z RANGE RANGE RANGE"},
		{times(arrow.Microsecond, first*day*1e6-1, end*day*1e6-1, math.MinInt64, math.MaxInt64), audience.DateTime, "RANGE 9999-12-31T23:59:59.999999Z RANGE RANGE"},
		{times(arrow.Nanosecond, math.MinInt64, math.MaxInt64), audience.DateTime, "1677-09-21T00:12:43.145224Z 2262-04-11T23:47:16.854775Z"},
		{times(arrow.Millisecond, end*day*1000), audience.Date, "RANGE"},
	} {
		schema := arrow.NewSchema([]arrow.Field{{Name: "v", Type: c.values.DataType(), Nullable: true}}, nil)
		rec := array.NewRecordBatch(schema, []arrow.Array{c.values}, int64(c.values.Len()))
		if got := readFile(tabulartest.Stored(tabulartest.ParquetOf(t, rec, 100)), []tabular.Column{{Name: "v", Type: c.typ}}, tabular.Options{}); got.Values() != c.want {
			t.Errorf("%s: %s %s, want %s", c.values.DataType(), got.Values(), got.Message, c.want)
		}
	}
}

func TestParquetRefused(t *testing.T) {
	t.Parallel()
	twice := arrow.NewSchema([]arrow.Field{{Name: "email", Type: arrow.BinaryTypes.String}, {Name: " E-Mail", Type: arrow.BinaryTypes.String}, {Name: "EMAIL", Type: arrow.BinaryTypes.String}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, twice)
	for i := range 3 {
		b.Field(i).(*array.StringBuilder).Append("a")
	}
	people := tabulartest.ParquetOf(t, tabulartest.PeopleRecord(t, []string{"a"}, []string{"1"}), 10)
	for name, c := range map[string]struct {
		file    []byte
		columns []tabular.Column
		want    string
	}{
		"twice":       {tabulartest.ParquetOf(t, b.NewRecordBatch(), 10), tabulartest.PeopleColumns, `DUPLICATE_COLUMN the file has column "email" twice, as columns 1 and 3`},
		"required":    {people, []tabular.Column{{Name: "points", Type: audience.Long}, {Name: "phone", Type: audience.String, Required: true}}, `MISSING_COLUMN the file has no column "phone"; its columns are "Email", "points"`},
		"none":        {people, tabulartest.Text("phone"), `NO_HEADER the file has none of the audience's fields; its columns are "Email", "points"`},
		"long values": {tabulartest.ParquetOf(t, tabulartest.PeopleRecord(t, []string{strings.Repeat("a", tabular.MaxRecord+1)}, []string{"1"}), 10), tabulartest.PeopleColumns, "LINE_TOO_LONG"},
	} {
		if got := readFile(tabulartest.Stored(c.file), c.columns, tabular.Options{}); !strings.HasPrefix(got.Err+" "+got.Message, c.want) {
			t.Errorf("%s: %s %s, want %s", name, got.Err, got.Message, c.want)
		}
	}
}

// TestParquetLongTexts reads rows whose text is much more than a batch should have.
func TestParquetLongTexts(t *testing.T) {
	t.Parallel()
	emails := make([]string, 300)
	for i := range emails {
		emails[i] = strconv.Itoa(i) + strings.Repeat("x", 100<<10)
	}
	b := tabulartest.ParquetOf(t, tabulartest.PeopleRecord(t, emails, slices.Repeat([]string{"1"}, len(emails))), 1<<20, parquet.WithDictionaryDefault(false), parquet.WithCompression(compress.Codecs.Zstd))
	rows, batches := 0, 0
	_, err := Read(t.Context(), tabulartest.Stored(b), tabulartest.PeopleColumns, tabular.Options{Workers: 1}, func(_ int, b *tabular.Batch) error {
		for i, v := range b.Lines {
			if b.Record.Column(0).(*array.String).Value(i) != emails[v-1] {
				t.Errorf("row %d has another text", v)
			}
		}
		rows += len(b.Lines)
		batches++
		return nil
	})
	if err != nil || rows != len(emails) || batches < 2 {
		t.Errorf("%d rows in %d batches, %v", rows, batches, err)
	}
}

func TestParquetEnds(t *testing.T) {
	t.Parallel()
	b := tabulartest.Stored(tabulartest.ParquetOf(t, tabulartest.PeopleRecord(t, slices.Repeat([]string{"a"}, 100), slices.Repeat([]string{"1"}, 100)), 10))
	stop := errors.New("stop")
	if _, err := Read(t.Context(), b, tabulartest.PeopleColumns, tabular.Options{Workers: 2}, func(int, *tabular.Batch) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Read(ctx, b, tabulartest.PeopleColumns, tabular.Options{Workers: 1}, func(int, *tabular.Batch) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestParquetCutOff cuts a file at every byte.
func TestParquetCutOff(t *testing.T) {
	t.Parallel()
	b := tabulartest.ParquetOf(t, tabulartest.PeopleRecord(t, []string{"a", "b"}, []string{"1", "2"}), 10)
	for n := range b {
		if got := readFile(tabulartest.Stored(b[:n]), tabulartest.PeopleColumns, tabular.Options{Workers: 1}); got.Err == "" {
			t.Errorf("cut off after %d of %d bytes: %+v", n, len(b), got)
		}
	}
}

// FuzzParquet damages small files: patches are triples of a position, of two bytes, and the byte that is put there.
func FuzzParquet(f *testing.F) {
	texts := tabulartest.Column(f, arrow.BinaryTypes.String, `["12","x",null,"12"]`)
	files := [][]byte{
		tabulartest.ParquetOf(f, texts, 3),
		tabulartest.ParquetOf(f, texts, 3, parquet.WithDictionaryDefault(false), parquet.WithCompression(compress.Codecs.Snappy)),
		tabulartest.ParquetOf(f, texts, 3, parquet.WithDataPageVersion(parquet.DataPageV2), parquet.WithCompression(compress.Codecs.Zstd)),
		tabulartest.ParquetOf(f, texts, 3, parquet.WithDictionaryDefault(false), parquet.WithEncoding(parquet.Encodings.DeltaByteArray)),
		tabulartest.ParquetOf(f, tabulartest.Column(f, arrow.FixedWidthTypes.Timestamp_ns, `["2025-05-23T20:19:00Z",null]`), 10),
		tabulartest.ParquetOf(f, tabulartest.Column(f, &arrow.Decimal128Type{Precision: 20, Scale: 2}, `["1.50",null]`), 10),
		tabulartest.ParquetOf(f, tabulartest.Column(f, arrow.FixedWidthTypes.Boolean, `[true,null]`), 10, parquet.WithDictionaryDefault(false), parquet.WithEncoding(parquet.Encodings.RLE)),
		tabulartest.ParquetOf(f, tabulartest.Column(f, arrow.ListOf(arrow.PrimitiveTypes.Int32), `[[1],null]`), 10),
	}
	for i, b := range files {
		f.Add(uint8(i), []byte{})
		for at := 4; at < len(b); at += 37 {
			f.Add(uint8(i), []byte{byte(at >> 8), byte(at), 0xff, byte((at + 9) >> 8), byte(at + 9), 0x15})
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, patches []byte) {
		b := bytes.Clone(files[int(which)%len(files)])
		for ; len(patches) >= 3; patches = patches[3:] {
			b[(int(patches[0])<<8|int(patches[1]))%len(b)] = patches[2]
		}
		var said []string
		for _, typ := range audience.Types {
			said = append(said, readFile(tabulartest.Stored(b), []tabular.Column{{Name: "v", Type: typ, Primary: true}}, tabular.Options{Workers: 2}).Err)
		}
		for _, err := range []error{inferError(t, b), sizeError(t, b)} {
			if err != nil {
				said = append(said, err.Error())
			}
		}
		if all := strings.Join(said, " "); strings.Contains(all, "panic: ") {
			t.Fatal(all)
		}
	})
}

func inferError(t *testing.T, b []byte) error {
	_, err := Infer(t.Context(), tabulartest.Stored(b), audience.Format{}, nil, tabulartest.WholeSample)
	return err
}

func sizeError(t *testing.T, b []byte) error {
	_, err := TextSize(t.Context(), tabulartest.Stored(b), audience.Format{})
	return err
}
