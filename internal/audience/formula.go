package audience

import (
	"strings"
	"unicode"
)

// Spreadsheet is the escape of CSV for spreadsheets that OWASP describes: a value that a spreadsheet would compute as a
// formula gets an apostrophe before it.
const Spreadsheet = "spreadsheet"

// EscapedColumn is the column that marks a CSV file whose values are escaped for spreadsheets. Its values are empty. No
// field can have its name.
const EscapedColumn = reservedPrefix + "escaped"

// EscapeFormula returns a value that a spreadsheet treats as text: with an apostrophe before it if it would be a
// formula. A value that is already escaped gets another apostrophe, so that UnescapeFormula(EscapeFormula(v)) is v for
// every v.
func EscapeFormula(v string) string {
	if isFormula(v) {
		return "'" + v
	}
	return v
}

// UnescapeFormula returns the value from which EscapeFormula made v.
func UnescapeFormula(v string) string {
	if strings.HasPrefix(v, "'") && isFormula(v) {
		return v[1:]
	}
	return v
}

// isFormula reports whether a spreadsheet may compute a value, or would without the apostrophes before it: the value
// begins with a tab, a line end or one of = + - @, perhaps after white space and invisible characters. East Asian
// systems treat the full-width forms of these characters the same.
func isFormula(v string) bool {
	for _, r := range strings.TrimLeft(v, "'") {
		switch {
		case strings.ContainsRune("=+-@＝＋－＠﹦﹢﹣﹫−\t\r\n", r):
			return true
		case !unicode.IsSpace(r) && !unicode.In(r, unicode.Cc, unicode.Cf):
			return false
		}
	}
	return false
}
