package formats

import (
	"context"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/parquet"
	"roster/internal/unpack"
)

// TextSize estimates the size of a file as plain CSV, from its metadata and a few small reads. It is used to size
// buffers of rows, so it errs on the large side.
func TextSize(ctx context.Context, f tabular.File, format audience.Format) (int64, error) {
	if f.Envelope != nil && f.Envelope.Demanded {
		return unpack.PackedSize(f.Size), nil // the content is compressed in some way
	}
	c, err := openContent(ctx, f, format)
	if err != nil {
		return 0, err
	}
	defer c.close()
	if c.typ != audience.Parquet {
		n, err := unpack.Size(ctx, f, c.method)
		return n, fileError(err)
	}
	return parquet.TextSize(ctx, f)
}
