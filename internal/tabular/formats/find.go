package formats

import (
	"bytes"
	"context"
	"io"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"
	"golang.org/x/text/transform"

	"roster/internal/audience"
	"roster/internal/background"
	"roster/internal/tabular"
	"roster/internal/tabular/csv"
	"roster/internal/tabular/input"
)

// proposeBytes is the amount of a file's text that Propose reads.
const proposeBytes = 4 << 20

// Propose reads the beginning of a file and proposes options that its format leaves open, but only if the text shows
// them. For a file that cannot be opened it proposes nothing; the later reader of the file gets the error.
func Propose(ctx context.Context, f tabular.File, format audience.Format, wanted []tabular.Column) (out tabular.Proposal, err error) {
	var g errgroup.Group
	g.Go(background.Recovering(func() (err error) {
		out, err = propose(ctx, f, format, wanted)
		return err
	}))
	err = g.Wait()
	return out, err
}

func propose(ctx context.Context, f tabular.File, format audience.Format, wanted []tabular.Column) (out tabular.Proposal, err error) {
	c, err := openContent(ctx, f, format)
	if err != nil {
		return out, ctx.Err()
	}
	defer c.close()
	if c.typ == audience.Parquet {
		return out, nil
	}
	raw, err := io.ReadAll(io.LimitReader(c.text, proposeBytes))
	if err != nil {
		return out, ctx.Err()
	}
	if len(raw) == proposeBytes {
		raw = raw[:bytes.LastIndexByte(raw, '\n')+1]
	}
	encoding := input.EncodingOf(raw, format.Encoding)
	if format.Encoding == "" && encoding == "utf-8" {
		out.Format.Encoding = input.LikelyEncoding(raw)
		out.UTF8 = out.Format.Encoding == "" && !input.ASCII(raw) && utf8.Valid(raw)
		encoding = input.EncodingOf(raw, out.Format.Encoding)
	}
	if c.typ == audience.JSON {
		return out, nil
	}
	if t := input.Decoder(encoding); t != nil {
		raw, _, _ = transform.Bytes(t, raw) // a character that is cut off at the end does not matter
		raw = append([]byte(nil), raw...)
	}
	return out, csv.Propose(ctx, raw, format, wanted, &out.Format)
}

// FindHeader looks for the header with the columns' names at the beginning of a file.
func FindHeader(ctx context.Context, f tabular.File, format audience.Format, names []string) (tabular.HeaderPlace, error) {
	c, err := openContent(ctx, f, format)
	if err != nil {
		return tabular.HeaderPlace{}, err
	}
	defer c.close()
	if c.typ != audience.CSV {
		return tabular.HeaderPlace{Looks: true}, nil
	}
	head, err := io.ReadAll(io.LimitReader(c.text, csv.LayoutBytes))
	if err != nil {
		return tabular.HeaderPlace{}, err
	}
	if t := input.Decoder(input.EncodingOf(head, format.Encoding)); t != nil {
		head, _, _ = transform.Bytes(t, head) // a character that is cut off at the end does not matter
	}
	var wanted []tabular.Column
	for _, name := range names {
		wanted = append(wanted, tabular.Column{Name: name})
	}
	return csv.FindHeader(head, format, wanted), nil
}
