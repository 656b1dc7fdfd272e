package ingest

import (
	"bytes"
	"encoding/hex"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/tabular/input"
)

// spelling searches for values in rows in their raw form, with quotes and escapes, and in any encoding, because the
// expected encoding may have been wrong.
type spelling struct {
	values  [][]byte // in lower case
	quotes  []byte   // characters that are doubled to stand for themselves
	escapes []byte   // characters that escape the next character
}

// spellingOf returns the search in rows of a format. Nil means that the format was detected for each file.
func spellingOf(values [][]byte, f *audience.Format) spelling {
	s := spelling{quotes: []byte(`"'`), escapes: []byte(`\`)}
	for _, v := range values {
		s.values = append(s.values, bytes.ToLower(v))
	}
	if f != nil && f.Quote != audience.None {
		s.quotes = append(s.quotes, f.Quote...)
	}
	if f != nil && f.Escape != audience.None {
		s.escapes = append(s.escapes, f.Escape...)
	}
	return s
}

// in reports whether a row contains one of the values, ignoring case.
func (s spelling) in(raw []byte) bool {
	if s.found(raw) {
		return true
	}
	return !utf8.Valid(raw) && input.InAnyEncoding(raw, s.found)
}

// found tries each possible format, because the files of an audience may differ.
func (s spelling) found(text []byte) bool {
	if s.has(text) || s.has(identity.Normalise("Email", text, nil)) || bytes.IndexByte(text, '\\') >= 0 && s.has(unescapedJSON(text)) {
		return true
	}
	for _, q := range s.quotes {
		if twice := []byte{q, q}; bytes.Contains(text, twice) && s.has(bytes.ReplaceAll(text, twice, twice[:1])) {
			return true
		}
	}
	for _, e := range s.escapes {
		if bytes.IndexByte(text, e) >= 0 && s.has(unescaped(text, e)) {
			return true
		}
	}
	return false
}

func (s spelling) has(text []byte) bool {
	low := bytes.ToLower(text)
	for _, v := range s.values {
		if bytes.Contains(low, v) {
			return true
		}
	}
	return false
}

// unescaped returns text without its escape characters.
func unescaped(text []byte, escape byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == escape && i+1 < len(text) {
			i++
		}
		out = append(out, text[i])
	}
	return out
}

// unescapedJSON returns text with JSON escapes decoded. The text need not be valid JSON, because a row may have been
// rejected for that reason.
func unescapedJSON(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			out = append(out, text[i])
			continue
		}
		if r, n := escapedRune(text[i:]); n > 0 {
			out = utf8.AppendRune(out, r)
			i += n - 1
			continue
		}
		i++
		if at := strings.IndexByte("bfnrt", text[i]); at >= 0 {
			out = append(out, "\b\f\n\r\t"[at])
		} else {
			out = append(out, text[i])
		}
	}
	return out
}

// escapedRune decodes a character written as one or two \uXXXX, and returns the length of its encoding; 0 if there is
// none.
func escapedRune(text []byte) (r rune, n int) {
	r, ok := codeUnit(text)
	if !ok {
		return 0, 0
	}
	if low, ok := codeUnit(text[6:]); ok && utf16.IsSurrogate(r) {
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return r, 6
}

func codeUnit(text []byte) (rune, bool) {
	var unit [2]byte
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	_, err := hex.Decode(unit[:], text[2:6])
	return rune(unit[0])<<8 | rune(unit[1]), err == nil
}
