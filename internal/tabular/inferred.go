package tabular

import "roster/internal/audience"

// Sample limits what Infer reads: a number of rows, and a number of bytes of the decoded text, once there is a header
// or a row. Infer may read beyond Bytes by one chunk, or to the end of the row.
type Sample struct {
	Rows  int
	Bytes int64
}

// Inferred is the result of Infer.
type Inferred struct {
	Format  audience.Format // how the file is read
	Columns []Column
	Rows    int      // that the types come from; for a Parquet file all rows, because its schema has the types
	Bytes   int64    // of the decoded text that was read
	More    bool     // the sample reached its limit, so the file may have more rows
	Nested  []string // columns without single values, which cannot be read
	Unnamed []string // names that are not valid for a field: names of several columns, and names with line breaks
	// Places has the positions, from 1, of each name that a CSV header contains more than once, by its
	// audience.NameKey.
	Places map[string][]int
}

// Named reports whether the file gives the names of its columns. JSON without rows gives none.
func (f Inferred) Named() bool {
	switch f.Format.Type {
	case audience.CSV:
		return f.Format.HasHeader()
	case audience.JSON:
		return f.Rows > 0
	}
	return true
}

// SampleChunk is the size of the chunks in which a sample is parsed.
const SampleChunk = 256 << 10

// Proposal has the options that a file needs and that its format does not set. Read does not use it by itself.
type Proposal struct {
	Format audience.Format // the options to add: Encoding, SkipLines, Comment, FillShortRows, DecimalComma
	// UTF8 reports that the text has characters beyond ASCII and is valid UTF-8, so that any other encoding would be
	// wrong.
	UTF8 bool
}

// HeaderPlace is the possible position of a CSV file's header.
type HeaderPlace struct {
	// Looks reports that the record at the usual position looks like a header, or that the file's type needs none.
	Looks bool
	// Skip is the number of lines before another record that names all wanted columns, if Found.
	Skip  int
	Found bool
}
