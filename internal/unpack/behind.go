package unpack

import (
	"bufio"
	"bytes"
	"fmt"
)

// blank are the bytes that some programs append to a file: white space, zero bytes and Control-Z.
const blank = "\x00\n\r\t \x1a"

func isBlank(b byte) bool { return bytes.IndexByte([]byte(blank), b) >= 0 }

// behind skips blank bytes between the end of a member or a frame and the next one. The error is io.EOF if no other
// member follows.
func (in *input) behind(r *bufio.Reader, m Method) error {
	for {
		rest, err := r.Peek(4)
		switch {
		case len(rest) == 0:
			return err
		case isBlank(rest[0]):
			_, _ = r.Discard(1) // cannot fail: the byte was peeked
		case Detect(rest) == m:
			return nil
		case in.err != nil:
			return in.err
		default:
			return &Error{m, fmt.Sprintf("has other data behind its end, from byte %d on, that is not %s's; cut that off, or compress the file again",
				in.n.Load()-int64(r.Buffered()), m)}
		}
	}
}
