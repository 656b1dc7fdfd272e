package formats

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/tabulartest"
)

func gzipped(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstded(t testing.TB, text []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(text, nil)
}

func zipped(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create("people.csv")
	if err != nil {
		t.Fatal(err)
	}
	f.Write(text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func utf16le(text string) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

const peopleFile = "email,points\na@example.com,1\nb@example.com,x\n,3\n"

// TestReadFormats reads the same people in every type and compression.
func TestReadFormats(t *testing.T) {
	t.Parallel()
	const jsonLines = `{"email":"a@example.com","points":1}` + "\n" + `{"email":"b@example.com","points":"x"}` + "\n" + `{"points":3}` + "\n"
	rec := tabulartest.PeopleRecord(t, []string{"a@example.com", "b@example.com", ""}, []string{"1", "x", "3"})
	for name, c := range map[string]struct {
		file        []byte
		typ         audience.FileType
		compression string
	}{
		"csv":         {[]byte(peopleFile), audience.CSV, "none"},
		"csv mark":    {[]byte("\xef\xbb\xbf" + peopleFile), audience.CSV, "none"},
		"csv gzip":    {gzipped(t, []byte(peopleFile)), audience.CSV, "gzip"},
		"csv zstd":    {zstded(t, []byte(peopleFile)), audience.CSV, "zstd"},
		"csv bzip2":   {testFile(t, "testdata/people.csv.bz2"), audience.CSV, "bzip2"},
		"csv zip":     {zipped(t, []byte(peopleFile)), audience.CSV, "zip"},
		"csv utf-16":  {utf16le(peopleFile), audience.CSV, "none"},
		"utf-16 gzip": {gzipped(t, utf16le(peopleFile)), audience.CSV, "gzip"},
		"json":        {[]byte(jsonLines), audience.JSON, "none"},
		"json array":  {[]byte(" [" + strings.ReplaceAll(strings.TrimSpace(jsonLines), "}\n", "},\n") + "]"), audience.JSON, "none"},
		"json zstd":   {zstded(t, []byte(jsonLines)), audience.JSON, "zstd"},
		"json utf-16": {utf16le(jsonLines), audience.JSON, "none"},
		"parquet":     {tabulartest.ParquetOf(t, rec, 2), audience.Parquet, "none"},
	} {
		got := readFile(tabulartest.Stored(c.file), tabulartest.PeopleColumns, tabular.Options{Workers: 2})
		if got.Err != "" || len(got.Rows) != 1 || fmt.Sprint(got.Rows[0].Values) != `["a@example.com" 1]` {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		if len(got.Rejects) != 2 || got.Rejects[0].Code != tabular.CodeType || got.Rejects[0].Column != "points" || got.Rejects[1].Code != tabular.CodeIdentity {
			t.Errorf("%s: rejects %+v", name, got.Rejects)
		}
		if f := got.Header.Format; f.Type != c.typ || f.Compression != c.compression {
			t.Errorf("%s: found %+v", name, f)
		}
		inferred, err := Infer(t.Context(), tabulartest.Stored(c.file), audience.Format{}, nil, tabulartest.WholeSample)
		if err != nil || inferred.Rows != 3 || len(inferred.Columns) != 2 || inferred.Columns[0].Type != audience.String || inferred.Format.Type != c.typ || inferred.Format.Compression != c.compression {
			t.Errorf("%s: inferred %+v, %v", name, inferred, err)
		}
		if n, err := TextSize(t.Context(), tabulartest.Stored(c.file), audience.Format{}); err != nil || n < int64(len(peopleFile))/2 || n > 20<<10 {
			t.Errorf("%s: an estimate of %d bytes, %v", name, n, err)
		}
	}
}

func TestReadDetection(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]audience.FileType{
		"[id],[name]\n1,2\n":       audience.CSV,
		"{id},x\n":                 audience.CSV,
		"[,]\n":                    audience.CSV,
		"[":                        audience.CSV,
		"\n\n{ \"a\":1}":           audience.JSON,
		"{}\n{\"a\":1}":            audience.JSON,
		"[ {\"a\":1} ]":            audience.JSON,
		"[]":                       audience.JSON,
		"[\"a\"]":                  audience.JSON,
		"\xef\xbb\xbf{\"a\":1}":    audience.JSON,
		"PAR1,points\nx,1\n":       audience.CSV,
		"PAR1,points\nx,1\nPAR1x":  audience.CSV,
		"\xff\xfe[\x00{\x00\"\x00": audience.JSON,
	} {
		c, err := openContent(t.Context(), tabulartest.Stored([]byte(file)), audience.Format{})
		if err != nil || c.typ != want {
			t.Errorf("%q is %v, %v; want %s", file, c, err, want)
		}
	}
}

func TestReadRefused(t *testing.T) {
	t.Parallel()
	csv := []byte(peopleFile)
	pq := tabulartest.ParquetOf(t, tabulartest.PeopleRecord(t, []string{"a"}, []string{"1"}), 10)
	type format = audience.Format
	for name, c := range map[string]struct {
		file   []byte
		format format
		code   string
		text   string
	}{
		"empty":              {nil, format{}, "EMPTY_FILE", "empty"},
		"empty gzip":         {gzipped(t, nil), format{}, "EMPTY_FILE", "empty"},
		"not gzip":           {csv, format{Compression: "gzip"}, "FORMAT", "says gzip, but the content of the file is not compressed"},
		"gzip, not none":     {gzipped(t, csv), format{Compression: "none"}, "FORMAT", "says none, but the content of the file is gzip"},
		"not parquet":        {csv, format{Type: audience.Parquet}, "FORMAT", "says parquet, but the content of the file is csv"},
		"parquet, not csv":   {pq, format{Type: audience.CSV}, "FORMAT", "says csv, but the content of the file is parquet"},
		"gzip in gzip":       {gzipped(t, gzipped(t, csv)), format{}, "COMPRESSION", "the gzip file contains a gzip file"},
		"gzip in zip":        {zipped(t, gzipped(t, csv)), format{}, "COMPRESSION", "the zip file contains a gzip file"},
		"parquet in gzip":    {gzipped(t, pq), format{}, "COMPRESSION", "Parquet"},
		"tar in gzip":        {gzipped(t, append(make([]byte, 257), "ustar\x0000"...)), format{}, "COMPRESSION", "tar"},
		"cut off":            {gzipped(t, csv)[:40], format{}, "COMPRESSION", "cut off"},
		"tar":                {[]byte("people.csv" + strings.Repeat("\x00", 247) + "ustar\x0000" + strings.Repeat("\x00", 248) + "id,name\n"), format{}, "FORMAT", "a tar archive"},
		"UTF-32":             {[]byte("\xff\xfe\x00\x00i\x00\x00\x00d\x00\x00\x00"), format{}, "FORMAT", "UTF-32"},
		"UTF-32, the other":  {[]byte("\x00\x00\xfe\xff\x00\x00\x00i"), format{}, "FORMAT", "UTF-32"},
		"compress":           {[]byte("\x1f\x9d\x90id,name"), format{}, "FORMAT", "compress"},
		"xz":                 {[]byte("\xfd7zXZ\x00\x00\x04"), format{}, "FORMAT", "xz"},
		"old spreadsheet":    {[]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00"), format{}, "FORMAT", "Office"},
		"cut-off parquet":    {pq[:len(pq)-5], format{}, "PARQUET", "cut off"},
		"parquet's mark":     {[]byte("PAR1"), format{}, "PARQUET", "cut off"},
		"encrypted parquet":  {[]byte("PARE\x00\x00\x00\x00PARE"), format{}, "PARQUET", "encrypted"},
		"no footer":          {[]byte("PAR1\x00\x00\x00\x00PAR1"), format{}, "PARQUET", "damaged"},
		"footer beyond file": {[]byte("PAR1\x00\xff\xff\xff\x7fPAR1"), format{}, "PARQUET", "damaged"},
	} {
		got := readFile(tabulartest.Stored(c.file), tabulartest.PeopleColumns, tabular.Options{Workers: 2, Format: c.format})
		if got.Err != c.code || !strings.Contains(got.Message, c.text) {
			t.Errorf("%s: %s %s, want %s …%s…", name, got.Err, got.Message, c.code, c.text)
		}
	}
	asked := readFile(tabulartest.Stored([]byte(`{"email",points`+"\na@example.com,1\n")), tabulartest.PeopleColumns[1:], tabular.Options{Format: format{Type: audience.CSV, Quote: "none"}})
	if len(asked.Rows) != 1 {
		t.Errorf("a CSV file that begins as JSON, and is said to be CSV: %+v", asked)
	}
}

// TestReadSourceErrors fails the source at every call: its error comes out as it is.
func TestReadSourceErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("reset")
	for name, b := range map[string][]byte{
		"csv": []byte(peopleFile), "gzip": gzipped(t, []byte(peopleFile)), "zstd": zstded(t, []byte(peopleFile)), "zip": zipped(t, []byte(peopleFile)),
		"json": []byte(`{"email":"a"}`), "parquet": tabulartest.ParquetOf(t, tabulartest.PeopleRecord(t, []string{"a"}, []string{"1"}), 10),
	} {
		for calls, failed := 0, true; failed; calls++ {
			s := &flakySource{File: tabulartest.Stored(b), left: calls, err: broken}
			_, err := Read(t.Context(), s.file(), tabulartest.PeopleColumns, tabular.Options{Workers: 1}, func(int, *tabular.Batch) error { return nil })
			failed = s.left < 0
			var file *tabular.FileError
			if failed && (!errors.Is(err, broken) || !errors.As(err, &file) || file.Code != "READ") {
				t.Errorf("%s, call %d: %v", name, calls, err)
			}
			if !failed && err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// flakySource fails from a call on.
type flakySource struct {
	tabular.File
	left int // calls that succeed
	err  error
}

func (s *flakySource) fails() bool { s.left--; return s.left < 0 }

func (s *flakySource) file() tabular.File {
	return tabular.File{Size: s.Size, Open: func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		if s.fails() {
			return nil, s.err
		}
		r, err := s.Open(ctx, offset, length)
		return flakyReader{r, s}, err
	}}
}

type flakyReader struct {
	io.ReadCloser
	s *flakySource
}

func (r flakyReader) Read(p []byte) (int, error) {
	if r.s.fails() {
		return 0, r.s.err
	}
	return r.ReadCloser.Read(p)
}

// BenchmarkRead reads the same rows in every compression; the speed is that of the plain file's bytes.
func BenchmarkRead(b *testing.B) {
	plain := tabulartest.People(1_000_000, false)
	for name, file := range map[string][]byte{"plain": plain, "gzip": gzipped(b, plain), "zstd": zstded(b, plain), "zip": zipped(b, plain)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			for b.Loop() {
				if _, err := Read(b.Context(), tabulartest.Stored(file), tabulartest.BenchColumns, tabular.Options{Workers: 2}, func(int, *tabular.Batch) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestInferFormat infers by what the format says.
func TestInferFormat(t *testing.T) {
	t.Parallel()
	f := audience.Format{DateFormats: []string{"dd.MM.yyyy", "dd.MM.yyyy HH:mm"}, NullValues: []string{"n/a"}, Encoding: "windows-1252"}
	for _, file := range []string{
		"stra\xdfe;born;seen;n\nx;13.05.2025;13.05.2025 10:00;1\nx;n/a;;n/a\n",
		`{"straße":"x","born":"13.05.2025","seen":"13.05.2025 10:00","n":1}` + "\n" + `{"born":"n/a","n":"n/a"}`,
	} {
		if file[0] == '{' {
			f.Encoding = ""
		}
		got, err := Infer(t.Context(), tabulartest.Stored([]byte(file)), f, nil, tabulartest.WholeSample)
		if err != nil || fmt.Sprint(got.Columns) != "[{straße string false false false false } {born date false false false false } {seen datetime false false false false } {n integer false false false false }]" || got.Rows != 2 {
			t.Errorf("%+v %v", got, err)
		}
	}
}

// TestReadStalled ends a read although its source says nothing any more.
func TestReadStalled(t *testing.T) {
	t.Parallel()
	file := gzipped(t, tabulartest.People(100_000, false))
	f := tabular.File{Size: int64(len(file)), Open: func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(file[:len(file)/2]), stalled{ctx})), nil
	}}
	stop := errors.New("stop")
	batches := 0
	_, err := Read(t.Context(), f, tabulartest.BenchColumns, tabular.Options{Workers: 1}, func(int, *tabular.Batch) error {
		if batches++; batches == 3 { // what was stored is read then, but for what is unpacked ahead
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) {
		t.Error(err)
	}
}

// TestReadSkipAll ends reads while the source is busy. The reads that Read cancels do not hide why it ended.
func TestReadSkipAll(t *testing.T) {
	t.Parallel()
	file := []byte("email\na@example.com\n")
	for range 2000 {
		f := tabular.File{Size: 1 << 20, Open: func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(bytes.NewReader(bytes.Repeat(file, 8<<10)), stalled{ctx})), nil
		}}
		_, err := Read(t.Context(), f, []tabular.Column{{Name: "email", Type: audience.String}}, tabular.Options{Workers: 1, ChunkBytes: 64 << 10}, func(int, *tabular.Batch) error {
			return fs.SkipAll
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// stalled says nothing until its context ends.
type stalled struct{ ctx context.Context }

func (s stalled) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

func testFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
