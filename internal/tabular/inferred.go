package tabular

import "roster/internal/audience"

// Sample bounds what Infer looks at: a number of rows, and of bytes of the decoded text, as soon as there is a header or a
// row. The text that is read beyond Bytes is a chunk, or the row at which they end.
type Sample struct {
	Rows  int
	Bytes int64
}

// Inferred is what Infer proposes for a file.
type Inferred struct {
	Format  audience.Format // how the file is read
	Columns []Column
	Rows    int      // that the types are from; all rows of a Parquet file, whose schema says the types
	Bytes   int64    // of the decoded text that was looked at
	More    bool     // the sample is as large as it may be, so that the file may have more rows
	Nested  []string // columns that have no single values and cannot be read
	Unnamed []string // names that no field can have: those of several columns, and those with line breaks
	// Places has the columns, from 1, of each name that a CSV header has more than once, by its audience.NameKey.
	Places map[string][]int
}

// SampleChunk is how much of a file that is sampled is parsed at a time.
const SampleChunk = 256 << 10

// Proposal is what a file needs to be read by that its format does not say. Read takes none of it by itself.
type Proposal struct {
	Format audience.Format // the options to add: Encoding, SkipLines, Comment, FillShortRows, DecimalComma
	// UTF8 says that the text has characters beyond ASCII and is UTF-8, so that no other encoding reads it.
	UTF8 bool
}

// HeaderPlace says where the header of a CSV file may be.
type HeaderPlace struct {
	// Looks says that the record in the place of the header looks like one, or that the file's type needs none.
	Looks bool
	// Skip is how many lines stand before another one that names all wanted columns, if Found.
	Skip  int
	Found bool
}
