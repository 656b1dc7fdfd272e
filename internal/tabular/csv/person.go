package csv

import (
	"regexp"
	"strings"

	"roster/internal/audience"
	"roster/internal/tabular/value"
)

// noHeader tells how to declare that a file has no header.
const noHeader = "\"header\": false in sourceSpec.format, or --no-header for roster import"

var (
	addressPattern = regexp.MustCompile(`^[^@\s"]+@[^@\s"]+\.[^@\s".]+$`)
	codePattern    = regexp.MustCompile(`^(?i:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)
	phonePattern   = regexp.MustCompile(`^(\+|00)[0-9]([ ()./-]?[0-9]){6,15}$`)
	numberPattern  = regexp.MustCompile(`^[0-9]{7,}$`)
)

// firstPerson reports whether the names of columns are probably the first row of a file without a header: one of them
// is an e-mail address, a phone number, a hash or a UUID, or the date of a column of dates, or all are long numbers.
// types are the types of the rows.
func firstPerson(names []string, types []value.Candidates) bool {
	numbers := 0
	for i, name := range names {
		name = strings.TrimSpace(name)
		if addressPattern.MatchString(name) || codePattern.MatchString(name) || phonePattern.MatchString(name) {
			return true
		}
		if _, code := value.ParseDate([]byte(name)); name != "" && code == "" && i < len(types) && types[i].Narrowest("") == audience.Date {
			return true
		}
		if numberPattern.MatchString(name) {
			numbers++
		}
	}
	return numbers > 0 && numbers == len(names)
}
