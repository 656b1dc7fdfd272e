package auth

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"roster/internal/audience"
)

// maxName bounds the ids of clients of another issuer, in bytes.
const maxName = 255

// nameProblem says why a client of another issuer cannot have an id; "" when it can. The id stands in the audit log, and whoever reads
// it there must not take it for that of somebody else, or for the server itself.
func nameProblem(id string) string {
	switch {
	case len(id) > maxName:
		return "is longer than 255 bytes"
	case !utf8.ValidString(id) || strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "has characters that cannot be seen"
	case strings.TrimSpace(id) != id || strings.Contains(id, "  "):
		return "has spaces that cannot be seen"
	case norm.NFKC.String(id) != id:
		return "has characters that look like others"
	case mixed(id):
		return "mixes Latin letters with those of scripts that look like them"
	case strings.EqualFold(id, audience.SystemUser):
		return "is the name of the server itself"
	}
	return ""
}

// mixed reports whether Latin letters stand beside those of scripts that have letters of the same look.
func mixed(id string) bool {
	return strings.ContainsFunc(id, func(r rune) bool { return unicode.Is(unicode.Latin, r) }) &&
		strings.ContainsFunc(id, func(r rune) bool {
			return unicode.In(r, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee, unicode.Coptic, unicode.Lisu)
		})
}
