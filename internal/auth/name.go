package auth

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"roster/internal/audience"
)

// maxName is the longest id of a client of another issuer, in bytes.
const maxName = 255

// nameProblem returns why a client of another issuer cannot have an id, "" if it can. The audit log shows the id, and
// readers must not mistake it for another client or for the server itself.
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

// mixed reports whether a text mixes Latin letters with scripts that have similar-looking letters.
func mixed(id string) bool {
	return strings.ContainsFunc(id, func(r rune) bool { return unicode.Is(unicode.Latin, r) }) &&
		strings.ContainsFunc(id, func(r rune) bool {
			return unicode.In(r, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee, unicode.Coptic, unicode.Lisu)
		})
}
