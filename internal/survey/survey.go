// Package survey is the contract of surveys. A survey inspects the files that an audience would read, before the
// audience exists. It reads a sample and changes nothing. The use cases request surveys, and the pipeline does them.
package survey

import (
	"context"

	"roster/internal/audience"
	"roster/internal/pgp"
	"roster/internal/source"
)

// Surveyor surveys files.
type Surveyor interface {
	// Survey inspects the files that an audience would read. Its errors are *audience.Error, or the error of an ended
	// context. Problems of a single file are in the result of the file.
	Survey(ctx context.Context, r Request) (Result, error)
}

// Request describes a survey.
type Request struct {
	Source source.Store
	Spec   audience.SourceSpec
	Settle source.SettleRule // which files are considered complete; a survey does not wait for the others
	Fields []audience.Field  // fields to check the sample against; empty means the proposed fields
	Rows   int               // size of the sample, at least 1
	// Keys loads the keys for encrypted files. If Encrypted is set, all files must be encrypted. Nil means that
	// encrypted files are not allowed.
	Keys      pgp.KeyLoader
	Encrypted bool
	// Preview requests the values of the first rows.
	Preview bool
}

// Result is the result of a survey.
type Result struct {
	Files   []File
	More    bool             // there are more files than listed
	Fields  []audience.Field // proposed fields, in column order; the namespace of an identity is guessed from its name
	Columns int              // number of columns that could be fields, without the limit MaxFields
	// Proposed contains the options that the files require and that the given format leaves open. Nil if there are
	// none. Proposed fields are inferred with these options. Given fields are checked without them.
	Proposed *audience.Format
	Problems []audience.Problem // problems of the given fields, compared with the columns, and of files
	Rows     int64              // rows of the sample
	Counts   []RejectCount      // rejects of the sample, by code and column, the most frequent first
	Rejects  []audience.RejectSample
	Preview  [][]*string // the texts of the first rows in the files, with one value for each of Fields; nil for null
}

// File is the result for one file.
type File struct {
	audience.PlannedFile
	Format  *audience.Format // detected format; nil if no sample was read
	Nested  []string         // columns with objects or lists, which cannot be read
	Unnamed []string         // column names that no field can have: duplicates, and names with line breaks
	Missing []string         // given fields without a column
	Extra   []string         // columns without a given field; none if no column has one: perhaps no header
	Error   string           // why the file cannot be read; "" if it can
}

// RejectCount is the number of rejected rows with one reason in a sample.
type RejectCount struct {
	Code   string
	Column string // "" if the reason concerns the whole row
	Rows   int64
}
