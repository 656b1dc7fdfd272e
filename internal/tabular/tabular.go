// Package tabular is the vocabulary of files that become Arrow record batches of typed columns plus the rows that do not fit: wanted
// columns, batches, rejects, options, errors, and the interface that readers of text implement. It knows no storage, no audience's rules
// and no memory beyond its chunks.
//
// The rooms below it do the work, and none of csv, json and parquet knows another:
//
//   - formats finds out what a file is, and reads it;
//   - csv, json and parquet read files of one type each, and say by which rules;
//   - value turns texts into values, and collects them in columns;
//   - input decodes text and cuts it into chunks, for csv and json.
//
// They are pure and fuzzed.
package tabular

import (
	"context"
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"roster/internal/audience"
)

// Column is one wanted column, found in the header by Name, ignoring case and surrounding white space. Names of
// wanted columns differ by more than case.
type Column struct {
	Name string
	Type audience.Type
	// Proposed says that nobody has declared the type: Infer proposed it. A value that the type would change is a reject
	// (PROPOSED_TYPE).
	Proposed bool
	// Required columns must be in the header (an identity field); others become null when they are missing.
	Required bool
	// Primary marks the primary identity: a row whose value is null, or only white space and invisible characters, is a
	// reject (IDENTITY).
	Primary bool
	// Supplemental marks an identity that must be there beside the primary one; its rows are rejects likewise.
	Supplemental bool
	// Namespace is that of an identity: a row whose value cannot be one is a reject (IDENTITY_FORM). "" takes any value.
	Namespace string
}

// Batch is a run of accepted rows of one file, in file order. Its Record has one array per wanted column, in
// the order of the columns: String → utf8, Number → float64, Long → int64, Integer → int32, Date → date32,
// DateTime → timestamp[us, UTC], Boolean → bool. It is valid until the emit call that got it returns.
type Batch struct {
	Record arrow.RecordBatch
	Lines  []int64 // the line at which each row begins, 1 for the file's first line
	// Bytes is how many bytes of the decoded file this batch and its rejects stand for.
	Bytes int64
	// Blanks are the rows of nothing but delimiters in the same stretch of the file, which are no rows.
	Blanks int64
	// Filled are the rows with too few fields in the same stretch that Format.FillShortRows made rows, accepted or rejected.
	Filled int64
	// NotUTF8 is the text of the stretch, when it is CSV and not valid UTF-8.
	NotUTF8 []byte
	// Rejects are the rows of the same stretch of the file that did not fit.
	Rejects []Reject
}

// Reject is a row that does not fit.
type Reject struct {
	Line   int64
	Lines  int64  // physical lines that the row takes in: more than 1 when a quoted field has line ends
	Offset int64  // byte offset of the row in the decoded file; -1 where a format has none
	Column string // "" when the row as a whole is wrong
	Code   string
	Reason string // names the rule, never the value
	Raw    []byte // the raw row without its line end, for the rejects file only; cut at 64 KiB
}

// Codes of rejects.
const (
	CodeColumnCount  = "COLUMN_COUNT"  // the row has another number of columns than the header
	CodeType         = "TYPE"          // the value is not of the column's type
	CodeRange        = "RANGE"         // the value does not fit the type's range
	CodeEncoding     = "ENCODING"      // the value is not valid UTF-8
	CodeHeader       = "HEADER"        // the row is a header once more
	CodeQuote        = "QUOTE"         // a quoted field is malformed or not closed
	CodeIdentity     = "IDENTITY"      // the primary identity is empty, or the supplemental one
	CodeIdentityForm = "IDENTITY_FORM" // the value cannot be an identity of the column's namespace
	CodeJSON         = "JSON"          // what should be an object is none, or malformed; of a file: its JSON is malformed
	CodeProposed     = "PROPOSED_TYPE" // the column's type was proposed and not declared, and would change the value
	CodeDuplicateKey = "DUPLICATE_KEY" // an object has the same key more than once, ignoring case
)

// CodeEncryption is the code of a file that is encrypted otherwise than its audience says, or was altered.
const CodeEncryption = "ENCRYPTION"

// Header is what a file's header said.
type Header struct {
	Names   []string
	Extra   []string // columns of the file that are not wanted
	Missing []string // wanted columns that the file does not have
	Skipped []string // files of a zip file that lie beside the data
	// Comments are the lines that Format.Comment made comments.
	Comments int64
	Format   audience.Format // how the file was read: what Options gave and what was found out
}

// Options tune a read; the zero value means the defaults.
type Options struct {
	Workers    int // parsing goroutines; default GOMAXPROCS
	ChunkBytes int // size of the stretch of file parsed at a time; default 1 MiB, at least 16 bytes, at most 1 GiB
	// MaxMemory is how many bytes decoding a Parquet file may hold at a time; default 1 GiB. A file that needs more is
	// refused before the memory is taken.
	MaxMemory int64
	// ChunkMemory is how many bytes of another file may be on their way to the parsers; default 64 MiB. A row that is
	// larger is let through alone.
	ChunkMemory int64
	// Reserve, when not nil, is told about how much of MaxMemory a Parquet file will hold, and what it returns is called
	// when that is over.
	Reserve func(bytes int64) (release func())
	// Format is what is known of how the file is written. What is empty is found out from the first bytes of the
	// file, the same ones whatever ChunkBytes is.
	Format audience.Format
}

// FileError is an error of a file as a whole: nothing of it can be used.
type FileError struct {
	Code    string // EMPTY_FILE, NO_HEADER, MISSING_COLUMN, DUPLICATE_COLUMN, LINE_TOO_LONG, TOO_MANY_COLUMNS, ENCODING, JSON, FORMAT, COMPRESSION, PARQUET, NESTED_COLUMN, READ
	Message string // without the file's name, which the caller knows
	Err     error  // the cause, such as the reader's error; may be nil
}

func (e *FileError) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// Emit takes a batch. Calls come from several goroutines at once and in any order; worker is the number of
// the calling goroutine, 0 to Workers-1, and calls of one worker never overlap. An error ends the read.
type Emit func(worker int, b *Batch) error

// Reader is a format. Read reads all of r, emits every row as accepted or rejected exactly once, and returns
// the header. Errors are *FileError, the reader's own (wrapped in one), an emit's or the context's.
type Reader func(ctx context.Context, r io.Reader, columns []Column, opts Options, emit Emit) (Header, error)
