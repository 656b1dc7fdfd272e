package client

// Format says how files are written. What is empty is found out from each file's content.
type Format struct {
	Type        string   `json:"type,omitempty"`        // csv, json or parquet
	Delimiter   string   `json:"delimiter,omitempty"`   // of CSV, one character
	Quote       string   `json:"quote,omitempty"`       // of CSV, one character or none
	Escape      string   `json:"escape,omitempty"`      // of CSV, one character, none or spreadsheet
	Header      *bool    `json:"header,omitempty"`      // of CSV; true
	Encoding    string   `json:"encoding,omitempty"`    // utf-8, utf-16le, utf-16be, windows-1252 or iso-8859-1
	NullValues  []string `json:"nullValues,omitempty"`  // texts that are null, beside the empty one
	DateFormats []string `json:"dateFormats,omitempty"` // patterns beside ISO 8601, such as dd/MM/yyyy
	Compression string   `json:"compression,omitempty"` // none, gzip, zstd, bzip2 or zip
}
