package tabular

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"golang.org/x/sync/errgroup"
)

const (
	defaultChunk = 1 << 20
	minChunk     = 16
	maxChunk     = 1 << 30
)

// withDefaults returns the options with each value in its range.
func (o Options) withDefaults() Options {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.ChunkBytes <= 0 {
		o.ChunkBytes = defaultChunk
	}
	o.ChunkBytes = min(max(o.ChunkBytes, minChunk), maxChunk)
	return o
}

// CSV reads comma-separated values; the package comment says exactly which. One goroutine reads the file and cuts
// it into chunks of whole records, Workers others parse them into Arrow columns. It holds about 2·Workers+2 chunks
// at a time.
func CSV(ctx context.Context, r io.Reader, columns []Column, opts Options, emit Emit) (Header, error) {
	opts = opts.withDefaults()
	c := newChunker(r, opts.ChunkBytes)
	names, err := readHeader(ctx, c)
	if err != nil {
		return Header{}, err
	}
	layout, header, err := match(names, columns)
	if err != nil {
		return Header{}, err
	}
	chunks := make(chan chunk, opts.Workers)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(guard(func() error {
		defer close(chunks)
		return c.send(ctx, chunks)
	}))
	for worker := range opts.Workers {
		g.Go(guard(func() error {
			p := newParser(columns, layout)
			for ch := range chunks {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := p.parse(ch, func(b *Batch) error { return emit(worker, b) }); err != nil {
					return err
				}
				c.recycle(ch.buf)
			}
			return nil
		}))
	}
	if err := g.Wait(); err != nil {
		return Header{}, err
	}
	return header, nil
}

// send sends all chunks. A file of a header alone has one chunk, which is empty and stands for the header's bytes.
func (c *chunker) send(ctx context.Context, to chan<- chunk) error {
	for {
		ch, err := c.next(ctx)
		if err == io.EOF && c.extra > 0 {
			ch, err = chunk{buf: make([]byte, 0, spare), offset: c.offset, line: c.line, extra: c.extra}, nil
			c.extra = 0
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case to <- ch:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// guard turns a panic into an error: a file must never end the process.
func guard(fn func() error) func() error {
	return func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("tabular: panic: %v\n%s", p, debug.Stack())
			}
		}()
		return fn()
	}
}

var _ Reader = CSV
