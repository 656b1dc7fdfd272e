package client

// Format describes the format of files. Roster detects empty options from the content of each file.
type Format struct {
	Type        string   `json:"type,omitempty"`        // csv, json or parquet
	Delimiter   string   `json:"delimiter,omitempty"`   // of CSV, one character
	Quote       string   `json:"quote,omitempty"`       // of CSV, one character or none
	Escape      string   `json:"escape,omitempty"`      // of CSV, one character, none or spreadsheet
	Header      *bool    `json:"header,omitempty"`      // of CSV; true
	Encoding    string   `json:"encoding,omitempty"`    // such as utf-8, windows-1252 or shift_jis
	NullValues  []string `json:"nullValues,omitempty"`  // texts that mean null, in addition to the empty text
	DateFormats []string `json:"dateFormats,omitempty"` // patterns in addition to ISO 8601, such as dd/MM/yyyy
	Compression string   `json:"compression,omitempty"` // none, gzip, zstd, bzip2 or zip

	SkipLines     int    `json:"skipLines,omitempty"`     // of CSV: lines before the header, such as titles
	Comment       string `json:"comment,omitempty"`       // of CSV: lines that begin with this character are skipped
	FillShortRows bool   `json:"fillShortRows,omitempty"` // of CSV: missing columns at the end of a row are null
	DecimalComma  bool   `json:"decimalComma,omitempty"`  // of CSV: numbers look like 1.234,56
}
