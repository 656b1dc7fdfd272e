package unpack

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func text(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/people.csv")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func gzipped(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Name = "people.csv"
	w.Write(text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstded(t testing.TB, text []byte, opts ...zstd.EOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, opts...)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func bzip2ed(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/people.csv.bz2")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type member struct {
	name   string
	method uint16
	flags  uint16
	text   []byte
}

func zipped(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		f, err := w.CreateHeader(&zip.FileHeader{Name: m.name, Method: m.method, Flags: m.flags})
		if err != nil {
			t.Fatal(err)
		}
		f.Write(m.text)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// inMemory is a file of the given bytes.
func inMemory(b []byte) File {
	return File{Size: int64(len(b)), Open: func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
		if length < 0 {
			length = int64(len(b)) - offset
		}
		return io.NopCloser(bytes.NewReader(b[offset : offset+length])), nil
	}}
}

// unpacked unpacks by content.
func unpacked(b []byte) ([]byte, error) {
	var r io.ReadCloser
	switch m := Detect(b); m {
	case None:
		return nil, errors.New("not compressed")
	case Zip:
		var err error
		if r, _, err = OpenZip(context.Background(), inMemory(b)); err != nil {
			return nil, err
		}
	default:
		r = NewReader(bytes.NewReader(b), m, int64(len(b)))
	}
	defer r.Close()
	return io.ReadAll(r)
}

func archives(t testing.TB) map[string][]byte {
	want := text(t)
	return map[string][]byte{
		"gzip":          gzipped(t, want),
		"zstd":          zstded(t, want),
		"zstd unframed": zstded(t, want, zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true)),
		"zstd skipped":  append([]byte("\x53\x2a\x4d\x18\x05\x00\x00\x00hello"), zstded(t, want)...),
		"bzip2":         bzip2ed(t),
		"zip":           zipped(t, member{name: "people.csv", method: zip.Deflate, text: want}),
		"zip, hidden":   zipped(t, member{name: ".DS_Store", text: []byte("notes")}, member{name: "people.csv", text: want}, member{name: "a/._b", text: []byte("notes")}),
		"zip, what lies beside": zipped(t, member{name: "Thumbs.db", text: []byte("x")}, member{name: "a/people.csv", text: want}, member{name: "a/~$people.xlsx", text: []byte("x")},
			member{name: "people.csv.md5", text: []byte("x")}, member{name: "manifest.json", text: []byte("{}")}, member{name: "_SUCCESS"}, member{name: "desktop.ini", text: []byte("x")}),
		"zip, only a manifest": zipped(t, member{name: "manifest.json", text: want}),
		"zip, only a hidden":   zipped(t, member{name: ".people.csv", text: want}),
		"zip stored": zipped(t, member{name: "a/"}, member{name: "a/people.csv", text: want},
			member{name: "__MACOSX/a/._people.csv", text: []byte("notes")}),
	}
}

func TestUnpack(t *testing.T) {
	t.Parallel()
	want := text(t)
	for name, b := range archives(t) {
		if got, err := unpacked(b); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

// TestCutOff cuts archives at every byte: none may be taken for a shorter text.
func TestCutOff(t *testing.T) {
	t.Parallel()
	all := archives(t)
	delete(all, "zstd skipped") // behind the frame that is skipped it is a whole, empty file
	for name, b := range all {
		for n := range b {
			_, err := unpacked(b[:n])
			var refused *Error
			if err == nil || n > 4 && !errors.As(err, &refused) {
				t.Errorf("%s cut off after %d of %d bytes: %v", name, n, len(b), err)
			}
		}
	}
}

// TestShort reads files that are too short for a header: those that begin like one are cut off, the others are
// something else.
func TestShort(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method Method
		text   string
		want   string
	}{
		{Gzip, "\x1f\x8b\xff\x00\x01", "something else"},
		{Gzip, "hello", "something else"},
		{Zstd, "abc", "something else"},
		{Bzip2, "hello", "something else"},
		{Gzip, "\x1f", "cut off"},
		{Gzip, "\x1f\x8b", "cut off"},
		{Gzip, "\x1f\x8b\x08\x00", "cut off"},
		{Zstd, "\x28\xb5", "cut off"},
		{Gzip, "", "cut off"},
	} {
		r := NewReader(strings.NewReader(c.text), c.method, int64(len(c.text)))
		_, err := io.ReadAll(r)
		r.Close()
		var refused *Error
		if !errors.As(err, &refused) || !strings.Contains(refused.Reason, c.want) {
			t.Errorf("%s %q: %v", c.method, c.text, err)
		}
	}
}

func TestConcatenated(t *testing.T) {
	t.Parallel()
	want := bytes.Repeat(text(t), 2)
	for _, name := range []string{"gzip", "zstd", "bzip2"} {
		b := bytes.Repeat(archives(t)[name], 2)
		if got, err := unpacked(b); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		for _, garbage := range []string{"garbage", "B", "BZ", "\x00B", "\x1f", "\x28"} {
			if _, err := unpacked(append(b[:len(b):len(b)], garbage...)); err == nil {
				t.Errorf("%s: no error for %q behind its end", name, garbage)
			}
		}
	}
}

// TestBlankBehind reads files with blank bytes behind their members and frames, and names where other bytes begin.
func TestBlankBehind(t *testing.T) {
	t.Parallel()
	plain := text(t)
	for name, one := range archives(t) {
		if strings.HasPrefix(name, "zip") {
			continue
		}
		for _, blank := range []string{"\n", "\r\n", "\x00", strings.Repeat("\x00", 100_000), " \t\n\x1a", "\x00\x00\x00", "\n\n\n\n\n"} {
			if got, err := unpacked(slices.Concat(one, []byte(blank))); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%s, %.10q: %d bytes, %v", name, blank, len(got), err)
			}
			if got, err := unpacked(slices.Concat(one, []byte(blank), one, []byte(blank), one)); err != nil || !bytes.Equal(got, bytes.Repeat(plain, 3)) {
				t.Errorf("%s, %.10q between members: %d bytes, %v", name, blank, len(got), err)
			}
		}
		for _, other := range []string{"\n\nemail", "\x00\x00\x01"} {
			from := len(one) + len(other) - len(strings.TrimLeft(other, "\n\x00"))
			if _, err := unpacked(slices.Concat(one, []byte(other))); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("from byte %d on", from)) {
				t.Errorf("%s, %q: %v", name, other, err)
			}
		}
	}
	if _, err := unpacked(slices.Concat(gzipped(t, plain), []byte("\n\x1f"))); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Error(err)
	}
}

func TestDamaged(t *testing.T) {
	t.Parallel()
	want := text(t)
	for _, name := range []string{"gzip", "zstd", "bzip2", "zip"} {
		b := archives(t)[name]
		for at := range b {
			damaged := bytes.Clone(b)
			damaged[at] ^= 0x10
			if got, err := unpacked(damaged); err == nil && !bytes.Equal(got, want) {
				t.Errorf("%s: byte %d is wrong, and nobody noticed", name, at)
			}
		}
	}
}

func TestEmpty(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/empty.bz2")
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"gzip": gzipped(t, nil), "zstd": zstded(t, nil, zstd.WithZeroFrames(true)), "bzip2": b, "zip": zipped(t, member{name: "a"})} {
		if got, err := unpacked(b); err != nil || len(got) > 0 {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestDetect(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]Method{
		"":                              None,
		"email,points\n":                None,
		"BZh,name\n":                    None,
		"BZh9 is a name,x\n":            None,
		"BZ":                            None,
		"P":                             None,
		"PK,name\n":                     None,
		"(a)":                           None,
		"\x1f":                          Gzip,
		"\x1f\x8b\x08":                  Gzip,
		"\x28\xb5":                      Zstd,
		"\x5e\x2a\x4d\x18\x00":          Zstd,
		"BZh11AY&SY\x00":                Bzip2,
		"BZh01AY&SY\x00":                None,
		"BZh1":                          Bzip2,
		"PK\x03\x04":                    Zip,
		"PK\x05\x06" + "\x00\x00\x00":   Zip,
		"PAR1":                          None,
		"\xef\xbb\xbfemail\x1f\x8b\x08": None,
	} {
		if got := Detect([]byte(head)); got != want {
			t.Errorf("%q is %s, want %s", head, got, want)
		}
	}
}

func TestZipRefused(t *testing.T) {
	t.Parallel()
	many := make([]member, 7)
	for i := range many {
		many[i] = member{name: fmt.Sprintf("part-%d.csv", i)}
	}
	for want, b := range map[string][]byte{
		"has no file in it":        zipped(t),
		"save it as CSV":           zipped(t, member{name: "[Content_Types].xml"}, member{name: "xl/workbook.xml"}),
		"program; save it as CSV":  zipped(t, member{name: "mimetype"}, member{name: "content.xml"}, member{name: "META-INF/manifest.xml"}),
		`has 2: "a.csv", "b.csv";`: zipped(t, member{name: "a.csv"}, member{name: "b.csv"}),
		`"part-4.csv", …; unpack`:  zipped(t, many...),
		"is encrypted":             zipped(t, member{name: "a.csv", flags: 1}),
	} {
		_, err := unpacked(b)
		var refused *Error
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestBomb(t *testing.T) {
	t.Parallel()
	zeros := make([]byte, 8<<20)
	for m, b := range map[Method][]byte{Gzip: gzipped(t, zeros), Zstd: zstded(t, zeros)} {
		for size, refused := range map[int64]bool{1 << 20: true, 16 << 20: false} {
			in := &input{r: bytes.NewReader(b)}
			r := ahead(&output{method: m, in: in, stored: int64(len(b)), bombSize: size, open: func() (io.Reader, func(), error) { return open(in, m) }})
			n, err := io.Copy(io.Discard, r)
			if refused != (err != nil) {
				t.Errorf("%s with a bomb from %d bytes on: %d bytes, %v", m, size, n, err)
			}
			r.Close()
		}
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithWindowSize(256<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		t.Fatal(err)
	}
	w.Write(text(t))
	w.Flush() // before it knows how short the text is
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := unpacked(b.Bytes()); err == nil || !strings.Contains(err.Error(), "window") {
		t.Error(err)
	}
}

// TestSourceError fails the stored file at every byte: its error comes out as it is, and not as a cut-off file.
func TestSourceError(t *testing.T) {
	t.Parallel()
	broken := fmt.Errorf("reset: %w", io.ErrUnexpectedEOF)
	for name, b := range archives(t) {
		for n := range b {
			fails := func(b []byte, at int) io.Reader {
				return io.MultiReader(bytes.NewReader(b[:max(at, 0)]), iotest.ErrReader(broken))
			}
			var err error
			if m := Detect(b); m == Zip {
				file := inMemory(b)
				file.Open = func(_ context.Context, offset, _ int64) (io.ReadCloser, error) {
					if offset >= int64(n) {
						return nil, broken
					}
					return io.NopCloser(fails(b[offset:], n-int(offset))), nil
				}
				var r io.ReadCloser
				if r, _, err = OpenZip(t.Context(), file); err == nil {
					_, err = io.ReadAll(r)
					r.Close()
				}
			} else {
				r := NewReader(fails(b, n), m, int64(len(b)))
				_, err = io.ReadAll(r)
				r.Close()
			}
			if !errors.Is(err, broken) {
				t.Errorf("%s: the source fails after %d bytes: %v", name, n, err)
			}
		}
	}
}

// TestClose closes readers that nobody reads to the end.
func TestClose(t *testing.T) {
	t.Parallel()
	b := gzipped(t, bytes.Repeat(text(t), 10_000))
	for _, n := range []int64{0, 1, 3 << 20} {
		r := NewReader(bytes.NewReader(b), Gzip, int64(len(b)))
		if _, err := io.CopyN(io.Discard, r, n); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(r.Close(), r.Close()); err != nil {
			t.Error(err)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	for _, b := range archives(f) {
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := unpacked(b)
		if err == nil && len(got) > 2000*max(len(b), 1<<20) {
			t.Errorf("%d bytes unpack to %d", len(b), len(got))
		}
	})
}

func BenchmarkGzip(b *testing.B) {
	text := bytes.Repeat(text(b), 20_000)
	file := gzipped(b, text)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		r := NewReader(bytes.NewReader(file), Gzip, int64(len(file)))
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}
