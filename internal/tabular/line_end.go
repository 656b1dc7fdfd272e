package tabular

import (
	"bytes"

	"golang.org/x/text/transform"
)

// endsBackwards reports whether the lines of a file that begins with head end with a line feed and a carriage return
// behind it: the blank lines behind its first line do.
func endsBackwards(head []byte) bool {
	start := bytes.IndexByte(head, '\n')
	if start < 0 || start > 0 && head[start-1] == '\r' {
		return false
	}
	end := start
	for end < len(head) && (head[end] == '\n' || head[end] == '\r') {
		end++
	}
	return head[end-1] == '\r' && head[end-2] == '\n'
}

// lineEnds turns each line feed with a carriage return behind it into a carriage return with a line feed behind it, so
// that lines and offsets stay where they are.
type lineEnds struct{ transform.NopResetter }

// Transform implements transform.Transformer.
func (lineEnds) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	n := copy(dst, src)
	if n < len(src) {
		err = transform.ErrShortDst
	}
	if n > 0 && src[n-1] == '\n' && (n < len(src) || !atEOF) { // what is behind it may be a carriage return
		n--
		if err == nil {
			err = transform.ErrShortSrc
		}
	}
	for rest := dst[:n]; ; {
		at := bytes.Index(rest, []byte("\n\r"))
		if at < 0 {
			return n, n, err
		}
		rest[at], rest[at+1] = '\r', '\n'
		rest = rest[at+2:]
	}
}
