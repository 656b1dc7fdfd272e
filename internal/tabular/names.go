package tabular

import (
	"fmt"
	"strings"

	"roster/internal/audience"
)

// Distinct reports for each column whether its name is unique, ignoring case, and lists the names that several columns
// have.
func Distinct(names []string) (once []bool, repeated []string) {
	have := make(map[string]int, len(names))
	for _, name := range names {
		have[audience.NameKey(name)]++
	}
	once = make([]bool, len(names))
	for i, name := range names {
		folded := audience.NameKey(name)
		switch n := have[folded]; {
		case folded == "" || n == 0:
		case n == 1:
			once[i] = true
		default:
			repeated = append(repeated, CutName(strings.ToValidUTF8(name, "\uFFFD")))
			have[folded] = 0
		}
	}
	return once, repeated
}

// CutName shortens a name that is too long to show.
func CutName(name string) string {
	const longest = 1024 // bytes
	if len(name) <= longest {
		return name
	}
	return strings.ToValidUTF8(name[:longest], "") + "…"
}

// NameList quotes the first names of a header, shortened to a readable length.
func NameList(names []string) string {
	const most, longest = 20, 64
	var quoted []string
	for _, n := range names[:min(len(names), most)] {
		if runes := []rune(n); len(runes) > longest {
			n = string(runes[:longest]) + "…"
		}
		quoted = append(quoted, fmt.Sprintf("%q", n))
	}
	text := strings.Join(quoted, ", ")
	if len(names) > most {
		text += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return text
}
