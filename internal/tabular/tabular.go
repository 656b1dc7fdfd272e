// Package tabular turns files into Arrow record batches of typed columns plus the rows that do not fit. It
// knows no storage, no audience's rules and no memory beyond its chunks; it is pure and fuzzed.
//
// # CSV
//
// Files are as in RFC 4180, and as people send them. The rules do not depend on how a file is cut into chunks.
//
// Text is UTF-8; a byte order mark is skipped. Invalid bytes make a row a reject when they are in a string that is
// wanted, and do not matter elsewhere. Zero bytes are data.
//
// A line ends with a line feed; carriage returns directly before it, or before the end of the file, belong to it. A
// carriage return elsewhere is data. Only when the header's line ends with a carriage return alone, as on old
// Macintosh systems, every carriage return of the file ends a line. Lines without a byte are skipped, also when the
// file has one column; they count as lines. The last line need not have an end.
//
// A record is a line, unless a quoted field has line ends. Its fields are separated by commas. A field whose first
// byte is a quote is quoted: up to the closing quote commas and line ends are data and two quotes are one. A quote
// elsewhere is data, also behind a space. When text follows a closing quote, the field goes on to the next comma or
// line end, and the row is a reject (QUOTE). A quote that is not closed takes in the rest of the file: one reject
// (QUOTE), whose reason and Lines say how much. Nothing is guessed from lines that a quote has swallowed: they could
// as well be the text of a field. A record of more than 16 MiB or 10,000 fields ends the read, naming its line.
//
// The first record is the header. Names are found ignoring case and white space around them, in any order; columns
// that are not wanted are ignored, wanted ones that are missing are null. It is an error when a required column is
// missing, a wanted one is there twice, or none of the wanted ones is there at all: then the file has no header.
// A row with more or fewer fields than the header is a reject (COLUMN_COUNT).
//
// # Values
//
// An empty value is null, quoted or not, for every type. Strings are kept as they are; around other values spaces
// and tabs are cut off. A value that is not of its column's type makes the row a reject, named for the first such
// column of the file:
//
//   - integer, long: an optional sign and decimal digits. Out of 32 or 64 bits is RANGE; 1.0 and 1e3 are TYPE.
//   - number: an optional sign, digits with at most one point among or beside them, and an optional exponent, to the
//     nearest double. More than a double holds is RANGE. Hexadecimal numbers, underscores, NaN and infinities are
//     TYPE.
//   - boolean: true/false, 1/0, yes/no, t/f or y/n in any case.
//   - date: YYYY-MM-DD that exists in the Gregorian calendar; the year 0000 is RANGE.
//   - datetime: a date, or a date, T or a space, hh:mm or hh:mm:ss, and after seconds a point or comma and 1 to 9
//     digits, cut to microseconds; then Z or an offset ±hh, ±hhmm or ±hh:mm. Without an offset it is UTC. A leap
//     second (:60) and 24:00 are TYPE; an instant whose year in UTC is not 1 to 9999 is RANGE.
//   - string: any valid UTF-8, else ENCODING.
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
	// Required columns must be in the header (an identity field); others become null when they are missing.
	Required bool
	// Primary marks the primary identity: a row whose value is null or only white space is a reject (IDENTITY).
	Primary bool
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
	Lines  int64  // physical lines that the row takes in: more than 1 when a quoted field has line ends
	Offset int64  // byte offset of the row in the decoded file; -1 where a format has none
	Column string // "" when the row as a whole is wrong
	Code   string
	Reason string // names the rule, never the value
	Raw    []byte // the raw row without its line end, for the rejects file only; cut at 64 KiB
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
	Extra   []string        // columns of the file that are not wanted
	Missing []string        // wanted columns that the file does not have
	Format  audience.Format // how the file was read: what Options gave and what was found out
}

// Options tune a read; the zero value means the defaults.
type Options struct {
	Workers    int // parsing goroutines; default GOMAXPROCS
	ChunkBytes int // size of the stretch of file parsed at a time; default 1 MiB, at least 16 bytes, at most 1 GiB
	// Format is what is known of how the file is written. What is empty is found out from the first bytes of the
	// file, the same ones whatever ChunkBytes is.
	Format audience.Format
}

// FileError is an error of a file as a whole: nothing of it can be used.
type FileError struct {
	Code    string // EMPTY_FILE, NO_HEADER, MISSING_COLUMN, DUPLICATE_COLUMN, LINE_TOO_LONG, TOO_MANY_COLUMNS, ENCODING, READ
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
