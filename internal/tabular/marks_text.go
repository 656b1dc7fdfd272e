package tabular

import "bytes"

// utf8Mark is the byte order mark of UTF-8.
var utf8Mark = []byte("\xef\xbb\xbf")

const controlZ = 0x1a

// withoutEndMarks cuts off the marks at the end of a file.
func withoutEndMarks(text []byte) []byte { return bytes.TrimRight(text, "\x00\x1a") }

// spacesAndMarks returns how many bytes of white space and marks a JSON text begins with, in which zero bytes are no data.
func spacesAndMarks(text []byte) (n int) {
	for n < len(text) {
		switch c := text[n]; {
		case c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == 0 || c == controlZ:
			n++
		case bytes.HasPrefix(text[n:], utf8Mark):
			n += len(utf8Mark)
		default:
			return n
		}
	}
	return n
}

// spaces returns how many bytes of white space text begins with.
func spaces(text []byte) int {
	for i, c := range text {
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return i
		}
	}
	return len(text)
}
