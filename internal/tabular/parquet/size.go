package parquet

import (
	"context"

	"roster/internal/tabular"
)

// TextSize estimates how many bytes of text a Parquet file has.
func TextSize(ctx context.Context, f tabular.File) (int64, error) {
	p, err := openParquet(ctx, f, 1, tabular.MaxMemory)
	if err != nil {
		return 0, err
	}
	return p.textSize()
}

// textSize estimates the text of a Parquet file: dictionaries make it much smaller than its values.
func (p *parquetFile) textSize() (int64, error) {
	const (
		value    = 8    // bytes of the text of a value, with its delimiter
		mostRows = 1000 // for each byte of the file, of what it says
	)
	most := p.source.file.Size * mostRows
	rows, plain, err := p.sums()
	return max(min(plain, most), min(rows, most)*int64(min(p.footer.leaves, tabular.MaxColumns))*value), err
}

// sums returns how many rows a file says to have, and how many bytes without compression.
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
