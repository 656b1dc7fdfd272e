package parquet

import (
	"context"

	"roster/internal/tabular"
)

// TextSize estimates the number of bytes of text in a Parquet file.
func TextSize(ctx context.Context, f tabular.File) (int64, error) {
	p, err := openParquet(ctx, f, 1, tabular.MaxMemory)
	if err != nil {
		return 0, err
	}
	return p.textSize()
}

// textSize estimates the text of a Parquet file, which may be much smaller than its values because of dictionaries.
func (p *parquetFile) textSize() (int64, error) {
	const (
		value    = 8    // bytes of the text of a value, with its delimiter
		mostRows = 1000 // claimed rows per byte of the file
	)
	most := p.source.file.Size * mostRows
	rows, plain, err := p.sums()
	return max(min(plain, most), min(rows, most)*int64(min(p.footer.leaves, tabular.MaxColumns))*value), err
}

// sums returns the rows and the uncompressed bytes that a file claims.
func (p *parquetFile) sums() (rows, plain int64, err error) {
	err = p.reading(func() error {
		return p.footer.eachGroup(nil, func(_, _ int, r, b int64, _ []parquetChunk) error {
			const most = 1 << 50
			rows, plain = min(rows+min(max(r, 0), most), most), min(plain+min(max(b, 0), most), most)
			return nil
		})
	})
	return rows, plain, err
}
