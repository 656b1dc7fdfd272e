package audience

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// NormaliseIdentity appends the normal form of an identity's value to dst: white space around it is cut off,
// and an e-mail address is put in lower case (design, section 2). The namespace is a canonical code. An empty
// result means that there is no identity. Bytes that are not UTF-8 stay as they are, so that different values
// stay different.
func NormaliseIdentity(namespace string, value, dst []byte) []byte {
	value = bytes.TrimSpace(value)
	if namespace != "Email" {
		return append(dst, value...)
	}
	for i, c := range value {
		if c >= utf8.RuneSelf {
			return appendLower(dst, value[i:])
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// appendLower appends text in lower case, rune by rune.
func appendLower(dst, text []byte) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, text[0])
		} else {
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
		text = text[size:]
	}
	return dst
}
