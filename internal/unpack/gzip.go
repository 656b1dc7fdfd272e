package unpack

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

// gzipMembers reads the members of a gzip file, one after the other. Blank bytes behind a member, which tools and tapes add,
// are no part of the file.
type gzipMembers struct {
	in     *input
	r      *bufio.Reader
	member *gzip.Reader
}

func openGzip(in *input, r *bufio.Reader) (*gzipMembers, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &gzipMembers{in, r, z}, nil
}

func (g *gzipMembers) Read(p []byte) (n int, err error) {
	if n, err = g.member.Read(p); err != io.EOF {
		return n, err
	}
	return n, g.next()
}

// next goes to the next member; io.EOF when there is none.
func (g *gzipMembers) next() error {
	for {
		rest, err := g.r.Peek(2)
		switch {
		case len(rest) == 0:
			return err
		case bytes.IndexByte([]byte("\x00\n\r\t \x1a"), rest[0]) >= 0:
			_, _ = g.r.Discard(1) // it was peeked
		case Detect(rest) == Gzip:
			if err := g.member.Reset(g.r); err != nil {
				return err
			}
			g.member.Multistream(false)
			return nil
		case g.in.err != nil:
			return g.in.err
		default:
			return &Error{Gzip, fmt.Sprintf("has other data behind its end, from byte %d on, that is not gzip's; cut that off, or compress the file again", g.in.n.Load()-int64(g.r.Buffered()))}
		}
	}
}
