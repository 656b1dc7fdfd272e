package formats

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"roster/internal/audience"
	"roster/internal/pgp"
	"roster/internal/tabular"
	"roster/internal/tabular/tabulartest"
	"roster/internal/unpack"
	"roster/tests/servertest"
)

// sender is GnuPG that can encrypt for a key pair of the server.
type sender struct {
	*servertest.GPG
	private []byte
}

func newSender(t testing.TB) sender {
	t.Helper()
	gpg := servertest.NewGPG(t)
	public, private, err := pgp.Generate("ours", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	gpg.Run([]byte(public), "--import")
	return sender{gpg, private}
}

func (s sender) encrypted(text []byte, args ...string) []byte {
	return s.Run(text, append(args, "--encrypt", "--recipient", "ours")...)
}

// serverKeys are the keys of the server.
type serverKeys struct {
	private []byte
	verify  string
}

// Load implements pgp.KeyLoader.
func (k serverKeys) Load(context.Context) (*pgp.Keys, error) {
	return pgp.NewKeys([][]byte{k.private}, k.verify, time.Now)
}

// file is a stored file with the keys of the server; each must be signed by verify unless that is "".
func (s sender) file(t testing.TB, b []byte, demanded bool, verify string) tabular.File {
	t.Helper()
	f := fileOf(b)
	f.Envelope = &unpack.Envelope{Demanded: demanded, MostScratch: 1 << 20,
		Keys: serverKeys{s.private, verify},
		Scratch: func() (*os.File, error) {
			f, err := os.CreateTemp(t.TempDir(), "")
			if err != nil {
				return nil, err
			}
			return f, os.Remove(f.Name())
		}}
	return f
}

// fileOf is a stored file.
func fileOf(b []byte) tabular.File {
	return tabular.File{Size: int64(len(b)), Open: func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
		if length < 0 {
			length = int64(len(b)) - offset
		}
		return io.NopCloser(io.NewSectionReader(bytes.NewReader(b), offset, length)), nil
	}}
}

// mails reads the values of the only column.
func mails(t testing.TB, f tabular.File) (list []string, err error) {
	t.Helper()
	_, err = Read(t.Context(), f, []tabular.Column{{Name: "v", Type: audience.String, Required: true}}, tabular.Options{Workers: 1}, func(_ int, b *tabular.Batch) error {
		column := b.Record.Column(0)
		for i := range column.Len() {
			list = append(list, strings.Clone(column.ValueStr(i)))
		}
		return nil
	})
	return list, err
}

// TestEncrypted reads what is in an encrypted file, however it is written and compressed.
func TestEncrypted(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	text := []byte("v\n")
	for i := range 5000 {
		text = fmt.Appendf(text, "p%d@example.com\n", i)
	}
	parquet := tabulartest.ParquetOf(t, tabulartest.Column(t, arrow.BinaryTypes.String, `["p0@example.com"]`), 1)
	for name, c := range map[string]struct {
		file []byte
		rows int
	}{
		"binary": {s.encrypted(text), 5000}, "armoured": {s.encrypted(text, "--armor"), 5000},
		"gzip": {s.encrypted(gzipped(t, text)), 5000}, "zip": {s.encrypted(zipped(t, text)), 5000},
		"JSON":    {s.encrypted([]byte("[{\"v\": \"p0@example.com\"}]\n\n"), "--compress-algo", "bzip2"), 1},
		"Parquet": {s.encrypted(parquet), 1},
	} {
		f := s.file(t, c.file, true, "")
		got, err := mails(t, f)
		if err != nil || len(got) != c.rows || got[0] != "p0@example.com" {
			t.Errorf("%s: %d rows, %v", name, len(got), err)
		}
		found, err := Infer(t.Context(), f, audience.Format{}, nil, tabular.Sample{Rows: 10, Bytes: 1 << 20})
		if err != nil || len(found.Columns) != 1 || found.Columns[0].Name != "v" {
			t.Errorf("%s: %v, %v", name, found.Columns, err)
		}
		if n, err := TextSize(t.Context(), f, audience.Format{}); err != nil || n < f.Size {
			t.Errorf("%s: %d bytes of text, %v", name, n, err)
		}
	}
	if got, err := mails(t, s.file(t, text, false, "")); err != nil || len(got) != 5000 {
		t.Errorf("a plain file where that may be: %d rows, %v", len(got), err)
	}
}

// TestEncryptedRefused refuses files by name that are encrypted otherwise than is said, altered at their very end, or not signed.
func TestEncryptedRefused(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	signer := s.NewKey("Sender", "ed25519", "1y")
	text := []byte("v\na@example.com\n")
	good := s.encrypted(text)
	altered := bytes.Clone(good)
	altered[len(altered)-1] ^= 1
	zeros := make([]byte, 3<<20)
	for name, c := range map[string]struct {
		file tabular.File
		want string
	}{
		"none is expected":    {fileOf(good), "name its key in sourceSpec.encryption"},
		"armoured, none is":   {fileOf(s.encrypted(text, "--armor")), "name its key in sourceSpec.encryption"},
		"a key":               {fileOf([]byte(signer)), "the file is a PGP key; upload the data itself"},
		"one is demanded":     {s.file(t, text, true, ""), "the file is not encrypted by PGP, but sourceSpec.encryption requires"},
		"gzip, one is":        {s.file(t, gzipped(t, text), true, ""), "the file is not encrypted by PGP, but sourceSpec.encryption requires"},
		"signed alone":        {s.file(t, s.Run(text, "--sign", "--local-user", "Sender"), true, ""), "signed or compressed by PGP, but not encrypted"},
		"altered at the end":  {s.file(t, altered, true, ""), "was altered or is damaged"},
		"cut off":             {s.file(t, good[:len(good)-1], true, ""), "the PGP file"},
		"two":                 {s.file(t, append(bytes.Clone(good), good...), true, ""), "has something behind the message"},
		"not signed":          {s.file(t, good, true, signer), "is not signed, and must be signed"},
		"gzip, altered":       {s.file(t, changed(s.encrypted(gzipped(t, text))), true, ""), "the PGP file"},
		"zip, altered":        {s.file(t, changed(s.encrypted(zipped(t, text))), true, ""), "the PGP file"},
		"JSON, not signed":    {s.file(t, s.encrypted([]byte(`[{"v": "a@example.com"}]`)), true, signer), "is not signed, and must be signed"},
		"twice":               {s.file(t, s.encrypted(good), true, ""), "encrypt the data only once"},
		"gzip twice":          {s.file(t, s.encrypted(gzipped(t, gzipped(t, text))), true, ""), "decompress it once"},
		"a large zip, a look": {s.file(t, s.encrypted(append(zipped(t, text), zeros...)), true, ""), "which only a run reads"},
		"encrypted in gzip":   {s.file(t, gzipped(t, good), true, ""), "the file is not encrypted by PGP"},
	} {
		_, err := mails(t, c.file)
		var file *tabular.FileError
		if !errors.As(err, &file) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	_, err := Infer(t.Context(), s.file(t, good, true, signer), audience.Format{}, nil, tabular.Sample{Rows: 10, Bytes: 1 << 20})
	if err == nil || !strings.Contains(err.Error(), "is not signed") {
		t.Errorf("a look: %v", err)
	}
}

// changed is a file with another byte near its end.
func changed(b []byte) []byte {
	b[len(b)-10] ^= 1
	return b
}
