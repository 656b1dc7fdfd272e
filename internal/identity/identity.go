// Package identity says when two identities are the same, and what cannot be an identity.
package identity

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// email is the namespace whose identities are compared in lower case.
const email = "Email"

// Normalise appends the normal form of an identity's value to dst. Two identities of a namespace are the same when
// their normal forms are equal: format and control characters are removed, the text is in Unicode's normal form C, white
// space around it is cut off, and an e-mail address is in lower case. The namespace is a canonical code. An empty result
// means that there is no identity. Nothing is removed inside a value that is not UTF-8: two halves of a
// character could become one.
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

// trimASCII cuts off the white space of ASCII.
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

// plain reports whether a value has only visible characters of ASCII and spaces.
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

// eachRune appends what fn makes of each rune of text; -1 is nothing. Bytes that are not UTF-8 stay.
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

// composed brings dst from start on into normal form C.
func composed(dst []byte, start int) []byte {
	if norm.NFC.IsNormal(dst[start:]) {
		return dst
	}
	return append(dst[:start], norm.NFC.Bytes(dst[start:])...)
}

// invisible reports the characters that take no part in a comparison.
func invisible(r rune) bool {
	if r < 0x80 {
		return r < ' ' || r == 0x7f
	}
	return unicode.In(r, unicode.Cc, unicode.Cf)
}

// Blank reports whether a value is no identity because its normal form is empty.
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

// Former appends the normal form that earlier versions of Roster gave a value, by whose hash their data directories find
// people: only white space around the value was cut off, and an e-mail address was in lower case. same says that it is
// Normalise's.
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
