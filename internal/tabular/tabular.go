// Package tabular is the vocabulary for reading files as Arrow record batches of typed columns, plus the rows that do
// not fit: wanted columns, batches, rejects, options, errors, and the interface of text readers. It knows no storage
// and no rules of audiences, and needs no memory beyond its chunks.
//
// The packages below it do the work. The packages csv, json and parquet do not know each other:
//
//   - formats detects what a file is, and reads it;
//   - csv, json and parquet read files of one type each, and document their rules;
//   - value parses texts into values, and collects them in columns;
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

// Column is one wanted column. The header contains it under Name, ignoring case and surrounding white space. Names of
// wanted columns differ by more than case.
type Column struct {
	Name string
	Type audience.Type
	// Proposed means that Infer proposed the type and nobody declared it. A value that the type would change is a
	// reject (PROPOSED_TYPE).
	Proposed bool
	// Required columns must be in the header (an identity field); other missing columns become null.
	Required bool
	// Primary marks the primary identity: a row whose value is null, or only white space and invisible characters, is a
	// reject (IDENTITY).
	Primary bool
	// Supplemental marks an identity that is required in addition to the primary one, with the same rejects.
	Supplemental bool
	// Namespace is the namespace of an identity. A row whose value cannot be an identity of it is a reject
	// (IDENTITY_FORM). "" accepts any value.
	Namespace string
}

// Batch is a sequence of accepted rows of one file, in file order. Its Record has one array per wanted column, in the
// order of the columns: String → utf8, Number → float64, Long → int64, Integer → int32, Date → date32, DateTime →
// timestamp[us, UTC], Boolean → bool. It is valid until the emit call that received it returns.
type Batch struct {
	Record arrow.RecordBatch
	Lines  []int64 // the line at which each row begins, 1 for the file's first line
	// Bytes is the number of bytes of the decoded file that this batch and its rejects cover.
	Bytes int64
	// Blanks is the number of lines with nothing but delimiters in the same stretch of the file, which are not rows.
	Blanks int64
	// Filled is the number of rows, accepted or rejected, in the same stretch that had too few fields and were filled
	// by Format.FillShortRows.
	Filled int64
	// NotUTF8 is the text of the stretch, if it is CSV and not valid UTF-8.
	NotUTF8 []byte
	// Rejects are the rows in the same stretch of the file that do not fit.
	Rejects []Reject
}

// Reject is a row that does not fit.
type Reject struct {
	Line   int64
	Lines  int64  // physical lines of the row: more than 1 if a quoted field contains line ends
	Offset int64  // byte offset of the row in the decoded file; -1 for formats without offsets
	Column string // "" if the row as a whole is wrong
	Code   string
	Reason string // names the rule, never the value
	Raw    []byte // the raw row without its line end, at most 64 KiB, for the rejects file only
}

// Codes of rejects.
const (
	CodeColumnCount  = "COLUMN_COUNT"  // the row has another number of columns than the header
	CodeType         = "TYPE"          // the value does not have the column's type
	CodeRange        = "RANGE"         // the value does not fit the type's range
	CodeEncoding     = "ENCODING"      // the value is not valid UTF-8
	CodeHeader       = "HEADER"        // the row repeats the header
	CodeQuote        = "QUOTE"         // a quoted field is malformed or not closed
	CodeIdentity     = "IDENTITY"      // the primary identity is empty, or the supplemental one
	CodeIdentityForm = "IDENTITY_FORM" // the value cannot be an identity of the column's namespace
	CodeJSON         = "JSON"          // not an object, or malformed; of a file: its JSON is malformed
	CodeProposed     = "PROPOSED_TYPE" // the column's type was proposed, not declared, and would change the value
	CodeDuplicateKey = "DUPLICATE_KEY" // an object has the same key more than once, ignoring case
)

// CodeEncryption is the code of a file whose encryption differs from the audience's settings, or that was altered.
const CodeEncryption = "ENCRYPTION"

// Header describes a file's header.
type Header struct {
	Names   []string
	Extra   []string // columns of the file that are not wanted
	Missing []string // wanted columns that the file does not have
	Skipped []string // files of a zip file next to the data
	// Comments is the number of lines that are comments by Format.Comment.
	Comments int64
	Format   audience.Format // how the file was read: the format of Options, completed by detection
}

// Options tune a read; zero values mean the defaults.
type Options struct {
	Workers    int // parsing goroutines; default GOMAXPROCS
	ChunkBytes int // size of the chunks that are parsed at a time; default 1 MiB, at least 16 bytes, at most 1 GiB
	// MaxMemory limits the memory for decoding a Parquet file, in bytes; default 1 GiB. A file that needs more is
	// refused before the memory is allocated.
	MaxMemory int64
	// ChunkMemory limits the bytes of a text file on their way to the parsers; default 64 MiB. A larger row is passed
	// on alone.
	ChunkMemory int64
	// Reserve, if not nil, is called with the approximate memory that a Parquet file will use, out of MaxMemory. The
	// returned function is called when that memory is free again.
	Reserve func(bytes int64) (release func())
	// Format is the known format of the file. Empty options are detected from the first bytes of the file,
	// independently of ChunkBytes.
	Format audience.Format
}

// FileError is an error of a file as a whole: none of its rows can be used.
type FileError struct {
	Code    string // EMPTY_FILE, NO_HEADER, MISSING_COLUMN, DUPLICATE_COLUMN, LINE_TOO_LONG, TOO_MANY_COLUMNS, ENCODING, JSON, FORMAT, COMPRESSION, PARQUET, NESTED_COLUMN, READ
	Message string // without the file's name, which the caller knows
	Err     error  // the cause, such as the reader's error; may be nil
}

func (e *FileError) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// Emit receives a batch. Several goroutines call it concurrently and in any order; worker is the number of the calling
// goroutine, 0 to Workers-1. Calls of one worker never overlap. An error ends the read.
type Emit func(worker int, b *Batch) error

// Reader reads a format. It reads all of r, emits every row as accepted or rejected exactly once, and returns the
// header. Errors are *FileError, an error of r wrapped in one, an error of emit, or the context's error.
type Reader func(ctx context.Context, r io.Reader, columns []Column, opts Options, emit Emit) (Header, error)
