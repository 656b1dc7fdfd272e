package parquet

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"roster/internal/audience"
	"roster/internal/background"
	"roster/internal/tabular"
	"roster/internal/tabular/value"
)

// Read reads Parquet. The package comment describes how its types become the audience's. Each worker reads one row
// group at a time, of which it holds a few pages of each wanted column and a batch.
func Read(ctx context.Context, f tabular.File, columns []tabular.Column, opts tabular.Options, emit tabular.Emit) (tabular.Header, error) {
	opts = opts.WithDefaults()
	patterns, err := value.NewDatePatterns(opts.Format.DateFormats)
	if err != nil {
		return tabular.Header{}, err
	}
	p, err := openParquet(ctx, f, opts.Workers*len(columns), opts.MaxMemory)
	if err != nil {
		return tabular.Header{}, err
	}
	found, header, err := p.match(columns)
	if err != nil {
		return tabular.Header{}, err
	}
	groups, need, err := p.groups(found)
	if err != nil {
		return tabular.Header{}, err
	}
	flat, err := flatSchema(found)
	if err != nil {
		return tabular.Header{}, err
	}
	workers := min(int64(opts.Workers), int64(len(groups)), max(opts.MaxMemory/2/max(need, 1), 1))
	if opts.Reserve != nil {
		defer opts.Reserve(min(need*workers, opts.MaxMemory))()
	}
	header.Format = audience.Format{Type: audience.Parquet, NullValues: opts.Format.NullValues, DateFormats: opts.Format.DateFormats, Compression: audience.None}
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for worker := range int(workers) {
		g.Go(background.Recovering(func() error {
			r := newParquetReader(p, flat, found, columns, opts.Format, patterns)
			for i := next.Add(1) - 1; i < int64(len(groups)); i = next.Add(1) - 1 {
				if err := r.read(ctx, groups[i], func(b *tabular.Batch) error { return emit(worker, b) }); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	if err := g.Wait(); err != nil {
		return tabular.Header{}, err
	}
	return header, nil
}
