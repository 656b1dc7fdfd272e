package tabular

// parseBoolean parses the words of the contract, in any case of ASCII letters.
func parseBoolean(b []byte) (v bool, code string) {
	if len(b) == 1 && (b[0] == '1' || b[0] == '0') {
		return b[0] == '1', ""
	}
	if len(b) > len("false") {
		return false, CodeType
	}
	word := uint64(0)
	for _, c := range b {
		word = word<<8 | uint64(lower(c))
	}
	switch word {
	case 't'<<24 | 'r'<<16 | 'u'<<8 | 'e', 'y'<<16 | 'e'<<8 | 's', 't', 'y':
		return true, ""
	case 'f'<<32 | 'a'<<24 | 'l'<<16 | 's'<<8 | 'e', 'n'<<8 | 'o', 'f', 'n':
		return false, ""
	}
	return false, CodeType
}

func lower(c byte) byte {
	if c-'A' < 26 {
		c += 'a' - 'A'
	}
	return c
}
