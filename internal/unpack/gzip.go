package unpack

import (
	"bufio"
	"io"

	"github.com/klauspost/compress/gzip"
)

// gzipMembers reads the members of a gzip file, one after the other.
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
	if err = g.in.behind(g.r, Gzip); err == nil {
		err = g.member.Reset(g.r)
		g.member.Multistream(false)
	}
	return n, err
}
