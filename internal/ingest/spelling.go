package ingest

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/tabular/input"
)

// spelling searches for the identities of people in rows in their raw form, with quotes and escapes, and in any encoding,
// because the expected encoding may have been wrong.
type spelling struct {
	values  []spelt // sorted; no value begins with another one
	quotes  []byte  // characters that are doubled to stand for themselves
	escapes []byte  // characters that escape the next character
}

// spelt is a value, and the values that begin with it, including itself.
type spelt struct {
	text   []byte // in lower case
	longer []owned
}

type owned struct {
	text []byte
	key  identity.Key // of the person
}

// spellingOf returns the search in rows of a format. Nil means that the format was detected for each file.
func spellingOf(people []Person, f *audience.Format) *spelling {
	s := &spelling{quotes: []byte(`"'`), escapes: []byte(`\`)}
	var all []owned
	for _, who := range people {
		for _, v := range who.Values {
			all = append(all, owned{bytes.ToLower(v), who.Key})
		}
	}
	slices.SortFunc(all, func(a, b owned) int { return bytes.Compare(a.text, b.text) })
	for _, v := range all {
		if n := len(s.values); n == 0 || !bytes.HasPrefix(v.text, s.values[n-1].text) {
			s.values = append(s.values, spelt{text: v.text})
		}
		last := &s.values[len(s.values)-1]
		last.longer = append(last.longer, v)
	}
	if f != nil && f.Quote != audience.None {
		s.quotes = append(s.quotes, f.Quote...)
	}
	if f != nil && f.Escape != audience.None {
		s.escapes = append(s.escapes, f.Escape...)
	}
	return s
}

// in adds the people whose values a row contains, ignoring case.
func (s *spelling) in(raw []byte, found map[identity.Key]bool) {
	s.find(raw, found)
	if !utf8.Valid(raw) {
		input.InAnyEncoding(raw, func(text []byte) bool {
			s.find(text, found)
			return false
		})
	}
}

// find tries each possible format, because the files of an audience may differ.
func (s *spelling) find(text []byte, found map[identity.Key]bool) {
	s.has(text, found)
	s.has(identity.Normalise("Email", text, nil), found)
	if bytes.IndexByte(text, '\\') >= 0 {
		s.has(unescapedJSON(text), found)
	}
	for _, q := range s.quotes {
		if twice := []byte{q, q}; bytes.Contains(text, twice) {
			s.has(bytes.ReplaceAll(text, twice, twice[:1]), found)
		}
	}
	for _, e := range s.escapes {
		if bytes.IndexByte(text, e) >= 0 {
			s.has(unescaped(text, e), found)
		}
	}
}

// has looks at each place of a text for the only value that the text can begin with there: the last one that is not
// greater.
func (s *spelling) has(text []byte, found map[identity.Key]bool) {
	low := bytes.ToLower(text)
	for i := range low {
		at, same := slices.BinarySearchFunc(s.values, low[i:], func(v spelt, text []byte) int { return bytes.Compare(v.text, text) })
		if !same {
			at--
		}
		if at < 0 || !bytes.HasPrefix(low[i:], s.values[at].text) {
			continue
		}
		for _, v := range s.values[at].longer {
			if bytes.HasPrefix(low[i:], v.text) {
				found[v.key] = true
			}
		}
	}
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
