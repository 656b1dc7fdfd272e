package csv

import (
	"bytes"
	"context"
	"io"

	"golang.org/x/sync/errgroup"
	"golang.org/x/text/transform"

	"roster/internal/audience"
	"roster/internal/background"
	"roster/internal/tabular"
	"roster/internal/tabular/input"
	"roster/internal/tabular/value"
)

// Read reads delimiter-separated values by the rules of the package comment. One goroutine reads the file and cuts it
// into chunks of whole records; Workers others parse them into Arrow columns. Read holds about 2·Workers+2 chunks at a
// time.
func Read(ctx context.Context, r io.Reader, columns []tabular.Column, opts tabular.Options, emit tabular.Emit) (tabular.Header, error) {
	opts = opts.WithDefaults()
	patterns, err := value.NewDatePatterns(opts.Format.DateFormats)
	if err != nil {
		return tabular.Header{}, err
	}
	c, names, format, err := openCSV(ctx, r, columns, opts)
	if err != nil {
		return tabular.Header{}, err
	}
	var header tabular.Header
	layout := inOrder(len(columns))
	if format.HasHeader() {
		if layout, header, err = match(c.dialect, names, columns); err != nil {
			return tabular.Header{}, headerElsewhere(err, c.window, opts.Format, columns)
		}
	}
	c.window = nil
	header.Format = format
	chunks := make(chan chunk, opts.Workers)
	memory := input.NewChunkMemory(opts.ChunkMemory)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(background.Recovering(func() error {
		defer close(chunks)
		return c.send(ctx, memory, chunks)
	}))
	for worker := range opts.Workers {
		g.Go(background.Recovering(func() error {
			p := newParser(columns, layout, format, patterns)
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
	if c.comments != nil {
		header.Comments = c.comments.lines
	}
	return header, nil
}

// inOrder is the layout of a file without a header: its columns are the wanted ones.
func inOrder(columns int) []int {
	layout := make([]int, columns)
	for i := range layout {
		layout[i] = i
	}
	return layout
}

// openCSV detects how a file is written and opens it at its first row. The names are those of its header, if it has
// one.
func openCSV(ctx context.Context, r io.Reader, columns []tabular.Column, opts tabular.Options) (c *chunker, names []string, f audience.Format, err error) {
	head, r, err := input.Window(ctx, r)
	if err != nil {
		return nil, nil, f, err
	}
	encoding := input.EncodingOf(head, opts.Format.Encoding)
	if t := input.Decoder(encoding); t != nil {
		if head, r, err = input.Window(ctx, transform.NewReader(r, t)); err != nil {
			return nil, nil, f, err
		}
	}
	skip, said := preamble(head)
	f = opts.Format
	marked := saysEscaped(head[skip:])
	if marked {
		f.Delimiter, f.Quote, f.Escape, f.Header = "", "", audience.Spreadsheet, nil
	}
	opts.Format = f
	if f.Escape == audience.Spreadsheet && f.Quote == "" {
		f.Quote = `"` // apostrophes stand before formulas
	}
	if f.Delimiter == "" && said != 0 {
		f.Delimiter = string(rune(said))
	}
	titles, err := titleLines(head[skip:], f.SkipLines)
	if err != nil {
		return nil, nil, f, err
	}
	skip += titles
	if end := bytes.LastIndexAny(head, "\r\n"); len(head) == input.WindowSize && end >= skip {
		head = head[:end+1] // cut to whole lines
	}
	var comments *commentReader
	text, mac := head[skip:], false
	if f.Comment != "" {
		text = append(make([]byte, 0, len(text)+input.Spare), text...)
		mac = blankComments(text, f)
	}
	d := sniff(text, columns, f)
	if f.Comment != "" {
		comments = &commentReader{r: r, dialect: d, comment: f.Comment[0], mac: mac, skip: skip}
		r = comments
	}
	c = newChunker(r, opts.ChunkBytes, d)
	c.window = head
	c.comments, c.fillShort = comments, f.FillShortRows
	c.formulas = f.Escape == audience.Spreadsheet
	if names, err = readHeader(ctx, c, skip, f.HasHeader()); c.formulas {
		for i, name := range names {
			names[i] = audience.UnescapeFormula(name)
		}
	}
	f = d.describe(opts.Format, encoding)
	if c.formulas {
		f.Escape = audience.Spreadsheet
	}
	return c, names, f, err
}

// send sends all chunks. A file with only a header has one empty chunk, which stands for the header's bytes.
func (c *chunker) send(ctx context.Context, memory *input.ChunkMemory, to chan<- chunk) error {
	for {
		ch, err := c.next(ctx)
		if err == io.EOF && c.Extra > 0 {
			ch, err = chunk{Chunk: c.Rest()}, nil
		}
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = memory.Acquire(ctx, ch.Buf)
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

var _ tabular.Reader = Read
