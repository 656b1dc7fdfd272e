package input

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/transform"
)

// FuzzUTF16 holds the decoder, read in pieces, against the standard library.
func FuzzUTF16(f *testing.F) {
	f.Add([]byte("a\x00\n\x00\x3d\xd8\x00\xde\x00\xd8x"), uint8(1))
	f.Add([]byte("\x00\xdc\x00\xdc\x00\xd8\x00\xd8\x00\xdc\xfd\xff"), uint8(3))
	f.Fuzz(func(t *testing.T, file []byte, size uint8) {
		for encoding, order := range map[string]binary.ByteOrder{"utf-16le": binary.LittleEndian, "utf-16be": binary.BigEndian} {
			var want []byte
			for at := 0; at < len(file); at += 2 {
				unit, next := rune(-1), rune(-1)
				if at+2 <= len(file) {
					unit = rune(order.Uint16(file[at:]))
				}
				if at+4 <= len(file) {
					next = rune(order.Uint16(file[at+2:]))
				}
				switch r := utf16.DecodeRune(unit, next); {
				case r != utf8.RuneError:
					want = utf8.AppendRune(want, r)
					at += 2
				case unit < 0 || utf16.IsSurrogate(unit):
					want = append(want, undecodable...)
				default:
					want = utf8.AppendRune(want, unit)
				}
			}
			got, err := io.ReadAll(transform.NewReader(iotest.DataErrReader(pieces{bytes.NewReader(file), 1 + int(size)}), Decoder(encoding)))
			if err != nil || bytes.Count(got, LineFeed) != bytes.Count(want, LineFeed) || utf8.Valid(got) != utf8.Valid(want) {
				t.Fatalf("%s %x: %q, %v, want %q", encoding, file, got, err, want)
			}
			// The library may take two low surrogates for one.
			if a, b := squeeze(got), squeeze(want); a != b {
				t.Fatalf("%s %x: %q, want %q", encoding, file, a, b)
			}
		}
	})
}

// squeeze leaves one of several undecodable sequences.
func squeeze(b []byte) string {
	for strings.Contains(string(b), undecodable+undecodable) {
		b = bytes.ReplaceAll(b, []byte(undecodable+undecodable), []byte(undecodable))
	}
	return string(b)
}

// pieces returns n bytes at a time.
type pieces struct {
	r io.Reader
	n int
}

func (p pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.n)]) }
