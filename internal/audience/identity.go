package audience

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// NormaliseIdentity appends the normal form of an identity's value to dst: white space around it is cut off,
// and an e-mail address is put in lower case (design, section 2). The namespace is a canonical code. An empty
// result means that there is no identity.
func NormaliseIdentity(namespace string, value, dst []byte) []byte {
	value = bytes.TrimFunc(value, unicode.IsSpace)
	if namespace != "Email" {
		return append(dst, value...)
	}
	for i, c := range value {
		if c >= utf8.RuneSelf {
			return append(dst, bytes.ToLower(value[i:])...)
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}
