package input

import "bytes"

// Utf8Mark is the byte order mark of UTF-8.
var Utf8Mark = []byte("\xef\xbb\xbf")

const ControlZ = 0x1a

// WithoutEndMarks removes the marks at the end of a file.
func WithoutEndMarks(text []byte) []byte { return bytes.TrimRight(text, "\x00\x1a") }

// SpacesAndMarks returns the number of bytes of white space and marks at the beginning of a JSON text, where zero bytes
// are not data.
func SpacesAndMarks(text []byte) (n int) {
	for n < len(text) {
		switch c := text[n]; {
		case c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == 0 || c == ControlZ:
			n++
		case bytes.HasPrefix(text[n:], Utf8Mark):
			n += len(Utf8Mark)
		default:
			return n
		}
	}
	return n
}

// Spaces returns the number of bytes of white space at the beginning of a text.
func Spaces(text []byte) int {
	for i, c := range text {
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return i
		}
	}
	return len(text)
}
