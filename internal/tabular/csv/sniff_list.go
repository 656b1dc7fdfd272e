package csv

import (
	"bytes"
	"regexp"
)

// singleValues match values that contain commas or semicolons and are single values, if each line of a file is one.
var singleValues = []*regexp.Regexp{
	regexp.MustCompile(`^[-+(]?[ \x{a0}]?\p{Sc}?[ \x{a0}]?(\d{1,8}|\d{1,3}([.' \x{a0}\x{202f}]\d{3})+),\d+[ \x{a0}]?[%)\p{Sc}]?$`), // 12,5 and 1.234,56 €
	regexp.MustCompile(`^[-+]?\d{1,3}(,\d{3}){2,}(\.\d+)?$`),                                                                       // 1,234,567
	regexp.MustCompile(`^(\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d,\d{1,9}[ ]?(Z|UTC|[-+]\d\d(:?\d\d)?)?$`),                             // 20:19:00,123
	regexp.MustCompile("^[A-Za-z][A-Za-z0-9+.-]*://[^\\s\"<>\\\\^`{}|]+$"),                                                         // https://example.com/a,b
	regexp.MustCompile(`^[A-Za-z][A-Za-z0-9.-]*=[^,=;|\t]+(,[ ]?[A-Za-z][A-Za-z0-9.-]*=[^,=;|\t]+)+$`),                             // cn=Ada,dc=example,dc=org
}

// isList reports whether the file is a list of single values with commas or semicolons in them: it has at most one
// known column, and each line with such a mark (at least one) is a single value.
func (s *sniffer) isList() bool {
	text, found := s.text, false
	if s.format.Delimiter != "" || len(s.columns) > 1 && !s.format.HasHeader() || bytes.IndexByte(text, ',') < 0 && bytes.IndexByte(text, ';') < 0 {
		return false
	}
	for first := s.format.HasHeader(); len(text) > 0; {
		end := bytes.IndexAny(text, "\r\n")
		if end < 0 {
			end = len(text)
		}
		line := bytes.Trim(text[:end], " \t")
		text = text[min(end+1, len(text)):]
		switch {
		case len(line) == 0 || !bytes.ContainsAny(line, string(usualDelimiters)):
			first = first && len(line) == 0
		case first || !isSingleValue(line):
			return false
		default:
			found = true
		}
	}
	return found
}

func isSingleValue(line []byte) bool {
	for _, p := range singleValues {
		if p.Match(line) {
			return true
		}
	}
	return false
}
