// Package wire converts between the wire types of package client and the domain. The REST API and the import workflow,
// which is a client of the API, share the conversions.
package wire

import (
	"roster/client"
	"roster/internal/audience"
)

// FormatOf returns the format that a client gives, nil for nil.
func FormatOf(f *client.Format) *audience.Format {
	if f == nil {
		return nil
	}
	return &audience.Format{Type: audience.FileType(f.Type), Delimiter: f.Delimiter, Quote: f.Quote, Escape: f.Escape, Header: f.Header, Encoding: f.Encoding,
		NullValues: f.NullValues, DateFormats: f.DateFormats, Compression: f.Compression,
		SkipLines: f.SkipLines, Comment: f.Comment, FillShortRows: f.FillShortRows, DecimalComma: f.DecimalComma}
}

// Format returns a format as the API has it, nil for nil.
func Format(f *audience.Format) *client.Format {
	if f == nil {
		return nil
	}
	return &client.Format{Type: string(f.Type), Delimiter: f.Delimiter, Quote: f.Quote, Escape: f.Escape, Header: f.Header, Encoding: f.Encoding,
		NullValues: f.NullValues, DateFormats: f.DateFormats, Compression: f.Compression,
		SkipLines: f.SkipLines, Comment: f.Comment, FillShortRows: f.FillShortRows, DecimalComma: f.DecimalComma}
}

// FieldOf returns the field that a client gives.
func FieldOf(f client.Field) audience.Field {
	return audience.Field{Name: f.Name, Type: audience.Type(f.Type), Proposed: f.Proposed, IdentityNs: f.IdentityNs,
		Labels: f.Labels, Role: audience.Role(f.Role), ConsentValues: f.ConsentValues}
}

// Field returns a field as the API has it.
func Field(f audience.Field) client.Field {
	return client.Field{Name: f.Name, Type: string(f.Type), Proposed: f.Proposed, IdentityNs: f.IdentityNs,
		Labels: f.Labels, Role: string(f.Role), ConsentValues: f.ConsentValues}
}
