// Package identity defines when two identities are equal, and which values cannot be an identity.
package identity

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// email is the namespace whose identities are compared in lower case.
const email = "Email"

// Normalise appends the normal form of an identity's value to dst. Two identities of a namespace are equal if their
// normal forms are: without format and control characters, in Unicode's normal form C, without surrounding white space,
// and an e-mail address in lower case. The namespace is a canonical code. An empty result means that there is no
// identity. In a value that is not UTF-8 no characters are removed, because the two halves of a character could join.
func Normalise(namespace string, value, dst []byte) []byte {
	value = trimASCII(value)
	if !plain(value) {
		return normaliseText(namespace, value, dst)
	}
	if namespace != email {
		return append(dst, value...)
	}
	for _, c := range value {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// trimASCII removes surrounding ASCII white space.
func trimASCII(value []byte) []byte {
	for len(value) > 0 && isSpace(value[0]) {
		value = value[1:]
	}
	for len(value) > 0 && isSpace(value[len(value)-1]) {
		value = value[:len(value)-1]
	}
	return value
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// plain reports whether a value consists of printable ASCII characters.
func plain(value []byte) bool {
	for _, c := range value {
		if c < ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// normaliseText is Normalise for any text. Letters are composed before they are put in lower case, because a letter and
// its decomposed form may have different lower cases, and after it, because some letters are composed in lower case only.
func normaliseText(namespace string, value, dst []byte) []byte {
	if !utf8.Valid(value) {
		if namespace != email {
			return append(dst, value...)
		}
		return eachRune(value, dst, unicode.ToLower)
	}
	start := len(dst)
	dst = composed(eachRune(value, dst, func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return r
	}), start)
	if namespace == email {
		dst = composed(eachRune(bytes.Clone(dst[start:]), dst[:start], unicode.ToLower), start)
	}
	text := bytes.TrimFunc(dst[start:], unicode.IsSpace)
	return dst[:start+copy(dst[start:], text)]
}

// eachRune appends fn of each rune of text, and skips runes for which fn is -1. Bytes that are not UTF-8 stay.
func eachRune(text, dst []byte, fn func(rune) rune) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, text[0])
		default:
			if r = fn(r); r >= 0 {
				dst = utf8.AppendRune(dst, r)
			}
		}
		text = text[size:]
	}
	return dst
}

// composed converts dst from start on to normal form C.
func composed(dst []byte, start int) []byte {
	if norm.NFC.IsNormal(dst[start:]) {
		return dst
	}
	return append(dst[:start], norm.NFC.Bytes(dst[start:])...)
}

// invisible reports whether a character is ignored in comparisons.
func invisible(r rune) bool {
	if r < 0x80 {
		return r < ' ' || r == 0x7f
	}
	return unicode.In(r, unicode.Cc, unicode.Cf)
}

// Blank reports whether the normal form of a value is empty, so that the value is not an identity.
func Blank(value []byte) bool {
	for len(value) > 0 {
		r, size := utf8.DecodeRune(value)
		if r == utf8.RuneError && size == 1 || !unicode.IsSpace(r) && !invisible(r) {
			return false
		}
		value = value[size:]
	}
	return true
}

// Former appends the normal form of earlier versions of Roster, which determines the keys in their data directories:
// without surrounding white space, and an e-mail address in lower case. same reports whether the result equals that of
// Normalise.
func Former(namespace string, value, dst []byte) (former []byte, same bool) {
	value = bytes.TrimSpace(value)
	if plain(value) {
		return dst, true
	}
	former = append(dst, value...)
	if namespace == email {
		former = eachRune(value, dst, unicode.ToLower)
	}
	return former, bytes.Equal(former[len(dst):], Normalise(namespace, value, nil))
}
