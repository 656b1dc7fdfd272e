package tabular

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// byteOrderMarks say at the beginning of a file how it is encoded.
var byteOrderMarks = []struct{ bytes, encoding string }{
	{"\xef\xbb\xbf", "utf-8"},
	{"\xff\xfe", "utf-16le"},
	{"\xfe\xff", "utf-16be"},
}

// encodingOf returns the encoding of a file that begins with head: the one of its byte order mark, else the one that
// is asked for, else UTF-8.
func encodingOf(head []byte, asked string) string {
	for _, m := range byteOrderMarks {
		if bytes.HasPrefix(head, []byte(m.bytes)) {
			return m.encoding
		}
	}
	if asked == "" {
		return "utf-8"
	}
	return asked
}

// decoder returns what turns an encoding into UTF-8, nil for UTF-8 itself. A byte order mark stays.
func decoder(encoding string) transform.Transformer {
	switch encoding {
	case "utf-16le":
		return utf16Decoder{unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder().Transformer, binary.LittleEndian}
	case "utf-16be":
		return utf16Decoder{unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder().Transformer, binary.BigEndian}
	case "windows-1252":
		return windowsDecoder{charmap.Windows1252.NewDecoder().Transformer}
	case "iso-8859-1":
		return charmap.ISO8859_1.NewDecoder()
	}
	return nil
}

// windowsDecoder decodes Windows-1252, in which five bytes are no character. The library's decoder writes the same
// replacement character for each of them, which would make one identity of several; this one writes what is no valid
// UTF-8, so that the row it lies in is a reject.
type windowsDecoder struct{ transform.Transformer }

func (d windowsDecoder) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	nDst, nSrc, err = d.Transformer.Transform(dst, src, atEOF)
	for rest := dst[:nDst]; ; {
		at := bytes.Index(rest, []byte(replacement))
		if at < 0 {
			return nDst, nSrc, err
		}
		rest = rest[at+copy(rest[at:], undecodable):]
	}
}

// utf16Decoder decodes UTF-16. For what cannot be decoded the library's decoder writes the replacement character;
// this one then writes a surrogate, which is as long and no valid UTF-8, so that the row it lies in is a reject.
type utf16Decoder struct {
	transform.Transformer
	order binary.ByteOrder
}

const (
	replacement = "\uFFFD"
	undecodable = "\xed\xa0\x80"
)

func (d utf16Decoder) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	nDst, nSrc, err = d.Transformer.Transform(dst, src, atEOF)
	if bytes.Contains(dst[:nDst], []byte(replacement)) {
		d.mark(dst[:nDst], src[:nSrc])
	}
	return nDst, nSrc, err
}

// mark goes through what was decoded and what it was decoded from, and overwrites the replacement characters that
// the file does not have.
func (d utf16Decoder) mark(dst, src []byte) {
	unit := func(at int) rune {
		if at+2 > len(src) {
			return -1
		}
		return rune(d.order.Uint16(src[at:]))
	}
	for len(dst) > 0 {
		r, n := utf8.DecodeRune(dst)
		if r == utf8.RuneError && unit(0) != utf8.RuneError {
			copy(dst, undecodable)
		}
		size := 2
		if next := unit(2); utf16.IsSurrogate(unit(0)) && 0xdc00 <= next && next <= 0xdfff {
			size = 4
		}
		dst, src = dst[n:], src[min(size, len(src)):]
	}
}
