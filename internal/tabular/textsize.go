package tabular

import (
	"context"

	"roster/internal/audience"
	"roster/internal/unpack"
)

// TextSize estimates how many bytes a file would have as plain CSV, from what it says of itself and a few small reads.
// It is meant for sizing what holds the rows, and rather too large than too small.
func TextSize(ctx context.Context, f File, format audience.Format) (int64, error) {
	c, err := openContent(ctx, f, format)
	if err != nil {
		return 0, err
	}
	defer c.close()
	if c.typ != audience.Parquet {
		n, err := unpack.Size(ctx, f, c.method)
		return n, fileError(err)
	}
	p, err := openParquet(ctx, f, 1)
	if err != nil {
		return 0, err
	}
	return p.textSize()
}

// textSize estimates the text of a Parquet file: dictionaries make it much smaller than its values.
func (p *parquetFile) textSize() (size int64, err error) {
	const (
		value    = 8    // bytes of the text of a value, with its delimiter
		mostRows = 1000 // for each byte of the file, of what it says
	)
	err = p.reading(func() error {
		meta, plain := p.MetaData(), int64(0)
		for i := range meta.NumRowGroups() {
			plain += max(meta.RowGroup(i).TotalByteSize(), 0)
		}
		rows := min(max(p.NumRows(), 0), p.source.file.Size*mostRows)
		size = max(min(plain, p.source.file.Size*mostRows), rows*int64(meta.Schema.NumColumns())*value)
		return nil
	})
	return size, err
}
