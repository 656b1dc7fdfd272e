package audience

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// FileType is the type of a data file.
type FileType string

// The file types.
const (
	CSV     FileType = "csv"
	JSON    FileType = "json" // one value a line, or one array
	Parquet FileType = "parquet"
)

// None in a Format means that there is no quote, no escape or no compression.
const None = "none"

// Types and compressions that a Format may name. "" always means detection.
var (
	FileTypes    = []FileType{CSV, JSON, Parquet}
	Compressions = []string{None, "gzip", "zstd", "bzip2", "zip"}
)

// Format describes how an audience's files are written. Empty options are detected from each file's content.
type Format struct {
	Type      FileType `json:"type,omitempty"`
	Delimiter string   `json:"delimiter,omitempty"` // of CSV: one ASCII character
	Quote     string   `json:"quote,omitempty"`     // of CSV: one ASCII character, or None
	Escape    string   `json:"escape,omitempty"`    // of CSV: one ASCII character that takes the next one literally inside quotes; None: two quotes are one; Spreadsheet
	// Header tells whether the first record of a CSV file names the columns. Without a header the columns are the
	// audience's fields in their order. Nil means true.
	Header      *bool    `json:"header,omitempty"`
	Encoding    string   `json:"encoding,omitempty"`    // one of Encodings
	NullValues  []string `json:"nullValues,omitempty"`  // texts that mean null, in addition to the empty text
	DateFormats []string `json:"dateFormats,omitempty"` // patterns in addition to ISO 8601, such as dd/MM/yyyy HH:mm
	Compression string   `json:"compression,omitempty"` // one of Compressions
	// SkipLines is the number of lines of a CSV file before its header, or before its first row, such as titles.
	SkipLines int `json:"skipLines,omitempty"`
	// Comment is an ASCII character; a line of a CSV file that begins with it, and is not within quotes, is skipped.
	Comment string `json:"comment,omitempty"`
	// FillShortRows means that a row of a CSV file with too few columns has null in the others; otherwise it is a
	// reject.
	FillShortRows bool `json:"fillShortRows,omitempty"`
	// DecimalComma means that numbers of a CSV file are written as 1.234,56 and not as 1,234.56.
	DecimalComma bool `json:"decimalComma,omitempty"`
}

// MaxSkipLines is the largest value of SkipLines.
const MaxSkipLines = 1000

// With returns the format, completed with the options of another one.
func (f Format) With(other Format) Format {
	f.Type, f.Compression = cmp.Or(f.Type, other.Type), cmp.Or(f.Compression, other.Compression)
	f.Delimiter, f.Quote, f.Escape = cmp.Or(f.Delimiter, other.Delimiter), cmp.Or(f.Quote, other.Quote), cmp.Or(f.Escape, other.Escape)
	f.Header, f.Encoding, f.Comment = cmp.Or(f.Header, other.Header), cmp.Or(f.Encoding, other.Encoding), cmp.Or(f.Comment, other.Comment)
	if len(f.NullValues) == 0 {
		f.NullValues = other.NullValues
	}
	if len(f.DateFormats) == 0 {
		f.DateFormats = other.DateFormats
	}
	f.SkipLines = cmp.Or(f.SkipLines, other.SkipLines)
	f.FillShortRows, f.DecimalComma = f.FillShortRows || other.FillShortRows, f.DecimalComma || other.DecimalComma
	return f
}

// HasHeader reports whether a CSV file's first record names its columns.
func (f Format) HasHeader() bool { return f.Header == nil || *f.Header }

// maxPatterns is the largest length of the lists of a format.
const maxPatterns = 50

// CheckFormat checks a format and puts its names in their canonical form.
func CheckFormat(f *Format) error {
	var p Problems
	validateFormat(&p, "format", f)
	return p.Err()
}

// validateFormat checks a format and puts its names in their canonical form; path is its path in the request.
func validateFormat(p *Problems, path string, f *Format) {
	f.Type = FileType(strings.ToLower(string(f.Type)))
	f.Compression = strings.ToLower(f.Compression)
	if f.Type != "" && !slices.Contains(FileTypes, f.Type) {
		p.Add(path+".type", "%.64q is not one of csv, json, parquet", f.Type)
	}
	if canonical, ok := ResolveEncoding(f.Encoding); ok {
		f.Encoding = canonical
	} else if f.Encoding != "" {
		p.Add(path+".encoding", "%.64q is not supported; use one of %s", f.Encoding, strings.Join(Encodings, ", "))
	}
	if f.Compression != "" && !slices.Contains(Compressions, f.Compression) {
		p.Add(path+".compression", "%.64q is not one of %s", f.Compression, strings.Join(Compressions, ", "))
	}
	validateMarks(p, path, f)
	if len(f.NullValues) > maxPatterns {
		p.Add(path+".nullValues", "has %d entries; at most %d are allowed", len(f.NullValues), maxPatterns)
	}
	if len(f.DateFormats) > maxPatterns {
		p.Add(path+".dateFormats", "has %d entries; at most %d are allowed", len(f.DateFormats), maxPatterns)
	}
	for i, text := range f.NullValues[:min(len(f.NullValues), maxPatterns)] {
		p.OptionalText(indexed(path+".nullValues", i), text)
	}
	for i, pattern := range f.DateFormats[:min(len(f.DateFormats), maxPatterns)] {
		p.OptionalText(indexed(path+".dateFormats", i), pattern)
		if _, err := ParseDatePattern(pattern); err != nil {
			p.Add(indexed(path+".dateFormats", i), "%s", err)
		}
	}
}

// validateMarks checks the characters of a CSV dialect.
func validateMarks(p *Problems, path string, f *Format) {
	for _, m := range []struct{ name, value string }{{"delimiter", f.Delimiter}, {"quote", f.Quote}, {"escape", f.Escape}, {"comment", f.Comment}} {
		switch {
		case m.value == "", m.value == None && m.name != "delimiter" && m.name != "comment", m.value == Spreadsheet && m.name == "escape":
		case len(m.value) != 1 || m.value[0] >= utf8.RuneSelf || m.value[0] == '\n' || m.value[0] == '\r' || m.value[0] == 0:
			p.Add(path+"."+m.name, "must be one ASCII character and not a line end")
		}
	}
	if f.Delimiter != "" && (f.Delimiter == f.Quote || f.Delimiter == f.Escape) {
		p.Add(path+".delimiter", "must differ from the quote and the escape")
	}
	if f.Quote == None && f.Escape != "" && f.Escape != None && f.Escape != Spreadsheet {
		p.Add(path+".escape", "works inside quotes only, and the quote is %q", None)
	}
	if f.Comment != "" && (f.Comment == f.Delimiter || f.Comment == f.Quote) {
		p.Add(path+".comment", "must differ from the delimiter and the quote")
	}
	if f.SkipLines < 0 || f.SkipLines > MaxSkipLines {
		p.Add(path+".skipLines", "must be from 0 to %d", MaxSkipLines)
	}
	dialect := f.Delimiter != "" || f.Quote != "" || f.Escape != "" || f.Header != nil
	layout := f.SkipLines != 0 || f.Comment != "" || f.FillShortRows || f.DecimalComma
	if (dialect || layout) && f.Type != "" && f.Type != CSV {
		p.Add(path+".type", "delimiter, quote, escape, header, skipLines, comment, fillShortRows and decimalComma are of csv files, not of %s", f.Type)
	}
}
