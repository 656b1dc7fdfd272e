package tabular

// parseBoolean parses the words of the contract, in any case of ASCII letters.
func parseBoolean(b []byte) (v bool, code string) {
	var word [len("false")]byte
	if len(b) > len(word) {
		return false, CodeType
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
	return false, CodeType
}
