// Package tabular turns files into Arrow record batches of typed columns plus the rows that do not fit. It
// knows no storage, no audience's rules and no memory beyond its chunks; it is pure and fuzzed.
package tabular

import (
	"context"
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"roster/internal/audience"
)

// Column is one wanted column: found in the header by Name, exactly first, then ignoring case and surrounding
// white space.
type Column struct {
	Name string
	Type audience.Type
	// Required columns must be in the header (an identity field); others become null when they are missing.
	Required bool
}

// Batch is a run of accepted rows of one file, in file order. Its Record has one array per wanted column, in
// the order of the columns: String → utf8, Number → float64, Long → int64, Integer → int32, Date → date32,
// DateTime → timestamp[us, UTC], Boolean → bool. It is valid until the emit call that got it returns.
type Batch struct {
	Record arrow.RecordBatch
	Lines  []int64 // the line at which each row begins, 1 for the file's first line
	// Bytes is how many bytes of the decoded file this batch and its rejects stand for.
	Bytes int64
	// Rejects are the rows of the same stretch of the file that did not fit.
	Rejects []Reject
}

// Reject is a row that does not fit.
type Reject struct {
	Line   int64
	Offset int64  // byte offset of the row in the decoded file
	Column string // "" when the row as a whole is wrong
	Code   string
	Reason string // names the rule, never the value
	Raw    []byte // the raw row, for the rejects file only; cut at 64 KiB
}

// Codes of rejects.
const (
	CodeColumnCount = "COLUMN_COUNT" // the row has another number of columns than the header
	CodeType        = "TYPE"         // the value is not of the column's type
	CodeRange       = "RANGE"        // the value does not fit the type's range
	CodeEncoding    = "ENCODING"     // the value is not valid UTF-8
	CodeQuote       = "QUOTE"        // a quoted field is malformed or not closed
	CodeIdentity    = "IDENTITY"     // the primary identity is empty
)

// Header is what a file's header said.
type Header struct {
	Names   []string
	Extra   []string // columns of the file that are not wanted
	Missing []string // wanted columns that the file does not have
}

// Options tune a read; the zero value means the defaults.
type Options struct {
	Workers    int // parsing goroutines; default GOMAXPROCS
	ChunkBytes int // size of the stretch of file parsed at a time; default 1 MiB, at least 4 KiB
}

// FileError is an error of a file as a whole: nothing of it can be used.
type FileError struct {
	Code    string // EMPTY_FILE, NO_HEADER, MISSING_COLUMN, DUPLICATE_COLUMN, LINE_TOO_LONG, TOO_MANY_COLUMNS, READ
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
