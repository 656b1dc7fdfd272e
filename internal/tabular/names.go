package tabular

import (
	"fmt"
	"roster/internal/audience"
	"strings"
)

// distinct says of each column whether it has a name that no other has, ignoring case, and lists the names that several
// have.
func distinct(names []string) (once []bool, repeated []string) {
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
			repeated = append(repeated, cutName(strings.ToValidUTF8(name, "\uFFFD")))
			have[folded] = 0
		}
	}
	return once, repeated
}

// cutName leaves the end of a name out that is too long to be shown.
func cutName(name string) string {
	const longest = 1024 // bytes
	if len(name) <= longest {
		return name
	}
	return strings.ToValidUTF8(name[:longest], "") + "…"
}

// nameList quotes the first names of a header, cut to a length that can be read.
func nameList(names []string) string {
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
