package json

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/text/transform"

	"roster/internal/audience"
	"roster/internal/background"
	"roster/internal/tabular"
	"roster/internal/tabular/input"
	"roster/internal/tabular/value"
)

// Read reads JSON objects by the rules of the package comment. One goroutine reads the file and cuts it into chunks of
// whole values; Workers others parse them into Arrow columns. Read holds about 2·Workers+2 chunks at a time. The header
// is known only at the end, so an error about it comes after all batches.
func Read(ctx context.Context, r io.Reader, columns []tabular.Column, opts tabular.Options, emit tabular.Emit) (tabular.Header, error) {
	opts = opts.WithDefaults()
	patterns, err := value.NewDatePatterns(opts.Format.DateFormats)
	if err != nil {
		return tabular.Header{}, err
	}
	c, format, err := openJSON(ctx, r, opts)
	if err != nil {
		return tabular.Header{}, err
	}
	chunks := make(chan jsonChunk, opts.Workers)
	memory := input.NewChunkMemory(opts.ChunkMemory)
	g, ctx := errgroup.WithContext(ctx)
	bad := verdict{offset: math.MaxInt64}
	g.Go(background.Recovering(func() error {
		defer close(chunks)
		return c.send(ctx, memory, chunks, &bad)
	}))
	parsers := make([]*jsonParser, opts.Workers)
	for worker := range parsers {
		p := newJSONParser(newJSONObject(columns, format, patterns), c.layout, &bad)
		parsers[worker] = p
		g.Go(background.Recovering(func() error {
			for ch := range chunks {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := p.parse(ch, func(b *tabular.Batch) error { return emit(worker, b) }); err != nil {
					return err
				}
				memory.Release(ch.Buf)
				c.Recycle(ch.Buf)
			}
			return nil
		}))
	}
	if err := g.Wait(); err != nil {
		return tabular.Header{}, err
	}
	if bad.err != nil {
		return tabular.Header{}, bad.err
	}
	h, err := jsonHeader(columns, parsers)
	if err != nil {
		return tabular.Header{}, err
	}
	h.Format = format
	return h, nil
}

var _ tabular.Reader = Read

// openJSON detects how a file is written and opens it at its first value.
func openJSON(ctx context.Context, r io.Reader, opts tabular.Options) (*jsonChunker, audience.Format, error) {
	f := opts.Format
	head, r, err := input.Window(ctx, r)
	if err != nil {
		return nil, f, err
	}
	f.Type, f.Encoding = audience.JSON, input.EncodingOf(head, f.Encoding)
	if t := input.Decoder(f.Encoding); t != nil {
		r = transform.NewReader(r, t)
	} else if bytes.IndexByte(head[:min(len(head), 4)], 0) >= 0 {
		return nil, f, &tabular.FileError{Code: "ENCODING", Message: "the file begins with zero bytes; if it is UTF-16 without a byte order mark, name the encoding in its format, or save it as UTF-8"}
	}
	c, err := newJSONChunker(ctx, r, opts.ChunkBytes)
	return c, f, err
}

// verdict keeps the error of a file that comes first in the file, so that the reported error does not depend on chunks
// and workers.
type verdict struct {
	mu     sync.Mutex
	offset int64
	err    error
}

func (v *verdict) add(offset int64, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if offset < v.offset {
		v.offset, v.err = offset, err
	}
}

// final reports whether the text from offset on can no longer change the verdict.
func (v *verdict) final(offset int64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return offset >= v.offset
}

// send sends all chunks up to the first error of the file.
func (c *jsonChunker) send(ctx context.Context, memory *input.ChunkMemory, to chan<- jsonChunk, bad *verdict) error {
	for !bad.final(c.Offset) {
		ch, err := c.next(ctx)
		var file *tabular.FileError
		switch {
		case err == io.EOF:
			return nil
		case errors.As(err, &file):
			bad.add(c.Offset, err)
			return nil
		case err != nil:
			return err
		}
		if err := memory.Acquire(ctx, ch.Buf); err != nil {
			return err
		}
		select {
		case to <- ch:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
