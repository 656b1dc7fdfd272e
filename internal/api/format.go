package api

import (
	"roster/client"
	"roster/internal/audience"
)

// formatOf is the format that a client gives.
func formatOf(f *client.Format) *audience.Format {
	if f == nil {
		return nil
	}
	return &audience.Format{Type: audience.FileType(f.Type), Delimiter: f.Delimiter, Quote: f.Quote, Escape: f.Escape, Header: f.Header, Encoding: f.Encoding,
		NullValues: f.NullValues, DateFormats: f.DateFormats, Compression: f.Compression,
		SkipLines: f.SkipLines, Comment: f.Comment, FillShortRows: f.FillShortRows, DecimalComma: f.DecimalComma}
}

func formatBody(f *audience.Format) *client.Format {
	if f == nil {
		return nil
	}
	return &client.Format{Type: string(f.Type), Delimiter: f.Delimiter, Quote: f.Quote, Escape: f.Escape, Header: f.Header, Encoding: f.Encoding,
		NullValues: f.NullValues, DateFormats: f.DateFormats, Compression: f.Compression,
		SkipLines: f.SkipLines, Comment: f.Comment, FillShortRows: f.FillShortRows, DecimalComma: f.DecimalComma}
}
