package input

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// byteOrderMarks mark the encoding at the beginning of a file.
var byteOrderMarks = []struct{ bytes, encoding string }{
	{"\xef\xbb\xbf", "utf-8"},
	{"\xff\xfe", "utf-16le"},
	{"\xfe\xff", "utf-16be"},
}

// EncodingOf returns the encoding of a file that begins with head: that of its byte order mark, or the requested one,
// or UTF-8.
func EncodingOf(head []byte, asked string) string {
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

// CodePages are the encodings that are neither UTF-8 nor UTF-16.
var CodePages = map[string]encoding.Encoding{
	"windows-1250": charmap.Windows1250, "windows-1251": charmap.Windows1251, "windows-1252": charmap.Windows1252,
	"windows-1253": charmap.Windows1253, "windows-1254": charmap.Windows1254, "windows-1255": charmap.Windows1255,
	"windows-1256": charmap.Windows1256, "windows-1257": charmap.Windows1257, "windows-1258": charmap.Windows1258,
	"windows-874": charmap.Windows874,
	"iso-8859-1":  charmap.ISO8859_1, "iso-8859-2": charmap.ISO8859_2, "iso-8859-3": charmap.ISO8859_3, "iso-8859-4": charmap.ISO8859_4,
	"iso-8859-5": charmap.ISO8859_5, "iso-8859-6": charmap.ISO8859_6, "iso-8859-7": charmap.ISO8859_7, "iso-8859-8": charmap.ISO8859_8,
	"iso-8859-9": charmap.ISO8859_9, "iso-8859-10": charmap.ISO8859_10, "iso-8859-13": charmap.ISO8859_13,
	"iso-8859-14": charmap.ISO8859_14, "iso-8859-15": charmap.ISO8859_15, "iso-8859-16": charmap.ISO8859_16,
	"koi8-r": charmap.KOI8R, "koi8-u": charmap.KOI8U, "macintosh": charmap.Macintosh, "x-mac-cyrillic": charmap.MacintoshCyrillic,
	"ibm437": charmap.CodePage437, "ibm850": charmap.CodePage850, "ibm852": charmap.CodePage852, "ibm855": charmap.CodePage855,
	"ibm858": charmap.CodePage858, "ibm860": charmap.CodePage860, "ibm862": charmap.CodePage862, "ibm863": charmap.CodePage863,
	"ibm865": charmap.CodePage865, "ibm866": charmap.CodePage866,
	"shift_jis": japanese.ShiftJIS, "euc-jp": japanese.EUCJP, "iso-2022-jp": japanese.ISO2022JP,
	"gbk": simplifiedchinese.GBK, "gb18030": simplifiedchinese.GB18030, "big5": traditionalchinese.Big5, "euc-kr": korean.EUCKR,
}

// Decoder returns a decoder from an encoding to UTF-8, nil for UTF-8 itself. It keeps a byte order mark.
func Decoder(encoding string) transform.Transformer {
	switch encoding {
	case "utf-16le":
		return utf16Decoder{unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder().Transformer, binary.LittleEndian}
	case "utf-16be":
		return utf16Decoder{unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder().Transformer, binary.BigEndian}
	}
	if page := CodePages[encoding]; page != nil {
		return pageDecoder{page.NewDecoder().Transformer}
	}
	return nil
}

// InAnyEncoding reports whether fn is true of a text in one of the code pages.
func InAnyEncoding(text []byte, fn func([]byte) bool) bool {
	for _, page := range CodePages {
		if decoded, err := page.NewDecoder().Bytes(text); err == nil && fn(decoded) {
			return true
		}
	}
	return false
}

// pageDecoder decodes a code page. For invalid bytes the library's decoder writes the replacement character, which
// would make several identities equal. pageDecoder writes invalid UTF-8 instead, so that the row becomes a reject. Of
// these code pages only GB18030 has the replacement character itself, and text that contains it was damaged before.
type pageDecoder struct{ transform.Transformer }

func (d pageDecoder) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	nDst, nSrc, err = d.Transformer.Transform(dst, src, atEOF)
	for rest := dst[:nDst]; ; {
		at := bytes.Index(rest, []byte(replacement))
		if at < 0 {
			return nDst, nSrc, err
		}
		rest = rest[at+copy(rest[at:], undecodable):]
	}
}

// utf16Decoder decodes UTF-16. For invalid input the library's decoder writes the replacement character. utf16Decoder
// then writes a surrogate, which has the same length and is invalid UTF-8, so that the row becomes a reject.
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

// mark compares the decoded text with its source, and overwrites the replacement characters that are not in the source.
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
