package identity

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Impossible returns why a value that is not Blank cannot be an identity of a namespace, "" if it can. It refuses only
// values that are certainly not identities: a placeholder for a missing value, a number that a spreadsheet reformatted,
// several identities in one value, an e-mail address without an @, a hash of a wrong length. The reason never contains
// the value.
func Impossible(namespace string, value []byte) string {
	value = trimASCII(value)
	if namespace == email && likelyAddress(value) {
		return ""
	}
	text := string(Normalise("", value, nil))
	if reason := missing(text); reason != "" {
		return reason
	}
	switch namespace {
	case email:
		return noAddress(text)
	case "Phone", "Phone_E164":
		return noPhone(text)
	case "Email_LC_SHA256", "Phone_SHA256", "Phone_SHA256_E.164":
		return noHash(text)
	case "IDFA", "GAID":
		if strings.Trim(text, "0-") == "" {
			return "the value is the advertising id of every device that has none"
		}
	}
	if strings.IndexByte(text, '+') > 0 && scientific.MatchString(text) { // the first condition is cheaper
		return "the value is in scientific notation, as a spreadsheet writes long numbers; its last digits are lost: export the column as text"
	}
	return ""
}

// likelyAddress checks quickly that a value has one @ with text on both sides.
func likelyAddress(value []byte) bool {
	at := bytes.IndexByte(value, '@')
	return plain(value) && at > 0 && at < len(value)-1 && bytes.IndexByte(value[at+1:], '@') < 0
}

// placeholders are common texts for a missing value, in lower case.
var placeholders = map[string]bool{
	"n/a": true, "n.a.": true, "#n/a": true, "null": true, "(null)": true, "<null>": true, "[null]": true, "nil": true, "nan": true, "none": true,
	"(none)": true, "undefined": true, `\n`: true, "(blank)": true, "(empty)": true,
	"#null!": true, "#ref!": true, "#value!": true, "#name?": true, "#div/0!": true, "#num!": true, "#error!": true,
}

// missing reports whether a text is a placeholder for a missing value.
func missing(text string) string {
	if len(text) <= len("undefined") && placeholders[strings.ToLower(text)] {
		return "the value stands for a missing identity"
	}
	for _, r := range text {
		if r >= utf8.RuneSelf || unicode.IsLetter(r) || unicode.IsDigit(r) {
			return ""
		}
	}
	return "the value has neither a letter nor a digit; it stands for a missing identity"
}

func noAddress(text string) string {
	local, domain, found := strings.Cut(text, "@")
	if quoted := strings.LastIndexByte(text, '@'); strings.HasPrefix(text, `"`) && strings.HasSuffix(text[:max(quoted, 0)], `"`) {
		local, domain = text[:quoted], text[quoted+1:] // a quoted name may contain an @
	}
	switch {
	case !found:
		return "the value is no e-mail address: it has no @"
	case strings.Contains(domain, "@"):
		return "the value holds more than one e-mail address; write a row for each"
	case local == "" || domain == "":
		return "the value is no e-mail address: nothing stands before or behind its @"
	}
	return ""
}

var (
	// scientific matches a number with more digits than the spreadsheet column is wide, in any locale.
	scientific = regexp.MustCompile(`^[+-]?[0-9][.,][0-9]+[eE]\+[0-9]{2,}$`)
	// scientificPhone matches any number with an exponent, which no phone number has.
	scientificPhone = regexp.MustCompile(`^[+-]?[0-9]+([.,][0-9]*)?[eE][+-]?[0-9]+$`)
	// decimalPhone matches a phone number that was converted to a decimal number.
	decimalPhone = regexp.MustCompile(`^[+-]?[0-9]{6,}[.,]0+$`)
)

func noPhone(text string) string {
	switch {
	case strings.ContainsAny(text, "eE") && scientificPhone.MatchString(text):
		return "the value is in scientific notation, as a spreadsheet writes long numbers; its last digits are lost: export the column as text"
	case strings.ContainsAny(text, ".,") && decimalPhone.MatchString(text):
		return "the value is a decimal number and no phone number; export the column as text"
	case strings.IndexFunc(text, unicode.IsDigit) < 0:
		return "the value is no phone number: it has no digit"
	case strings.Contains(text, "@"):
		return "the value is no phone number: it has an @"
	case severalNumbers(text):
		return "the value holds more than one phone number; write a row for each"
	}
	return ""
}

// severalNumbers reports whether a separator divides two numbers that are each as long as a phone number with area
// code.
func severalNumbers(text string) bool {
	const wholeNumber = 7 // digits
	long := 0
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(";,|/&", r) }) {
		digits := 0
		for _, r := range part {
			if unicode.IsDigit(r) {
				digits++
			}
		}
		if digits >= wholeNumber {
			long++
		}
	}
	return long > 1
}

// noHash checks a SHA-256: 64 hexadecimal digits, or its 32 bytes in base64.
func noHash(text string) string {
	const hexDigits, base64Letters = 64, 43
	if bare := strings.TrimRight(text, "="); len(bare) == base64Letters && strings.Trim(bare, base64Alphabet) == "" {
		return ""
	}
	switch {
	case len(text) != hexDigits:
		return "the value is no SHA-256 hash: it has not 64 hexadecimal digits"
	case strings.Trim(text, "0123456789abcdefABCDEF") != "":
		return "the value is no SHA-256 hash: it has other characters than hexadecimal digits"
	}
	return ""
}

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
