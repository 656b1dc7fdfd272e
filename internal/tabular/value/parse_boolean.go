package value

import "roster/internal/tabular"

// ParseBoolean parses the contract's words for booleans, in any case of ASCII letters.
func ParseBoolean(b []byte) (v bool, code string) {
	var word [len("false")]byte
	if len(b) > len(word) {
		return false, tabular.CodeType
	}
	for i, c := range b {
		if c-'A' < 26 {
			c += 'a' - 'A'
		}
		word[i] = c
	}
	switch string(word[:len(b)]) {
	case "true", "yes", "t", "y", "1":
		return true, ""
	case "false", "no", "f", "n", "0":
		return false, ""
	}
	return false, tabular.CodeType
}
