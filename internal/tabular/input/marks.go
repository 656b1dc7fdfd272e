package input

import "bytes"

// Utf8Mark is the byte order mark of UTF-8.
var Utf8Mark = []byte("\xef\xbb\xbf")

const ControlZ = 0x1a

// WithoutEndMarks cuts off the marks at the end of a file.
func WithoutEndMarks(text []byte) []byte { return bytes.TrimRight(text, "\x00\x1a") }

// SpacesAndMarks returns how many bytes of white space and marks a JSON text begins with, in which zero bytes are no data.
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

// Spaces returns how many bytes of white space text begins with.
func Spaces(text []byte) int {
	for i, c := range text {
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return i
		}
	}
	return len(text)
}
