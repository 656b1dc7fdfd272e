package unpack

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
)

func zipOf(t *testing.T, comment string, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range names {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, "mail\na@example.com\n")
	}
	w.SetComment(comment)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestZipClaims opens zip files whose directories claim more than there is, or are longer than they say.
func TestZipClaims(t *testing.T) {
	t.Parallel()
	one := zipOf(t, "", "a.csv")
	said := func(b []byte, records uint16) []byte {
		b = bytes.Clone(b)
		at := bytes.LastIndex(b, []byte("PK\x05\x06"))
		binary.LittleEndian.PutUint16(b[at+8:], records)
		binary.LittleEndian.PutUint16(b[at+10:], records)
		return b
	}
	end64 := func(records uint64) []byte {
		at := bytes.LastIndex(one, []byte("PK\x05\x06"))
		b := bytes.Clone(one[:at])
		end := make([]byte, 56)
		copy(end, "PK\x06\x06")
		binary.LittleEndian.PutUint64(end[4:], 44)
		binary.LittleEndian.PutUint64(end[24:], records)
		binary.LittleEndian.PutUint64(end[32:], records)
		binary.LittleEndian.PutUint64(end[40:], 1)
		locator := make([]byte, 20)
		copy(locator, "PK\x06\x07")
		binary.LittleEndian.PutUint64(locator[8:], uint64(at))
		locator[16] = 1
		return append(append(append(b, end...), locator...), said(one, 1<<16-1)[at:]...)
	}
	var names []string
	for i := range 9000 {
		names = append(names, fmt.Sprintf("%s%d", strings.Repeat("n", 1000), i))
	}
	for name, c := range map[string]struct {
		file []byte
		size int64
		want string
	}{
		"one":             {file: one},
		"with a comment":  {file: zipOf(t, strings.Repeat("PK", 1000), "a.csv")},
		"records":         {file: said(one, 60_000), want: "says that it has 60000"},
		"records of 64":   {file: end64(1 << 40), want: "says that it has 1099511627776"},
		"another end":     {file: append(said(one, 60_000), one[bytes.LastIndex(one, []byte("PK\x05\x06")):]...), want: "says that it has 60000"},
		"long names":      {file: zipOf(t, "", names...), want: "has a directory of more than 4 MiB"},
		"many, and lying": {file: said(zipOf(t, "", names...), 1), want: "has a directory of more than 4 MiB"},
	} {
		f := File{Size: int64(len(c.file)), Open: func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(c.file[offset:])), nil
		}}
		r, _, err := OpenZip(t.Context(), f)
		if err == nil {
			_, err = io.ReadAll(r)
			r.Close()
		}
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
