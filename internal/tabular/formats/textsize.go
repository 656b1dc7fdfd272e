package formats

import (
	"context"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/parquet"
	"roster/internal/unpack"
)

// TextSize estimates how many bytes a file would have as plain CSV, from what it says of itself and a few small reads.
// It is meant for sizing what holds the rows, and rather too large than too small.
func TextSize(ctx context.Context, f tabular.File, format audience.Format) (int64, error) {
	if f.Envelope != nil && f.Envelope.Demanded {
		return unpack.PackedSize(f.Size), nil // whatever is in it, it was compressed by some method
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
