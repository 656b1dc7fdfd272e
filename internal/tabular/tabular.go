// Package tabular turns files into Arrow record batches of typed columns plus the rows that do not fit. It
// knows no storage, no audience's rules and no memory beyond its chunks; it is pure and fuzzed.
//
// # Types and compressions
//
// What a file is, its first bytes say, and never its name; the format may say it too, and an error tells where the file
// contradicts it. A file is compressed by gzip, zstd, bzip2 or zip when it begins as these do (package unpack says what
// is read of them). It is Parquet when it has PAR1 at both ends. A text is JSON when its first characters but white
// space are { and then a quote or }, or [ and then {, [, a quote or ]; so a CSV file with a header such as [id],[name]
// is none. Every other text is CSV. A format that says csv or json decides between these two. Parquet is not looked for
// in compressed files, and nothing is unpacked twice. Other types that are known by their first bytes, such as xz or
// Avro, are refused by name.
//
// # CSV
//
// Files are as in RFC 4180, and as people send them. The rules do not depend on how a file is cut into chunks.
//
// Text is in the encoding that the byte order mark says, else the one that the format names, else UTF-8. Lines,
// offsets and sizes are those of the text in UTF-8; the byte order mark is skipped. Bytes that are no character in the
// encoding make a row a reject (ENCODING) when they are in a string that is wanted, and do not matter elsewhere. Zero
// bytes are data; only in the first record they are an error, since then the file is UTF-16 that nobody has named.
//
// The first lines that Format.SkipLines counts are skipped, behind a line such as sep=; but a title of several lines in
// quotes counts as several. A line that begins with Format.Comment is skipped where a record could begin. Both count as lines.
//
// A line ends with a line feed; carriage returns directly before it, or before the end of the file, belong to it. A
// carriage return elsewhere is data. Only when the header's line ends with a carriage return alone, as on old
// Macintosh systems, every carriage return of the file ends a line. Lines without a byte are skipped, also when the
// file has one column; they count as lines. The last line need not have an end. Rows of delimiters, spaces and tabs alone,
// which spreadsheets write for empty ones, are no rows either, and are counted (Batch.Blanks).
//
// Marks between records belong to none: byte order marks of files that were joined and Control-Z before a record, and
// Control-Z and zero bytes that are a line alone or end the file. A value that begins with a mark needs quotes, in the first
// column.
//
// A record is a line, unless a quoted field has line ends. Its fields are separated by the delimiter. A field whose
// first byte is the quote, or the first behind spaces and tabs, is quoted: up to the closing quote delimiters and line ends are
// data and two quotes are one; if there is an escape, it takes the byte behind it literally, be it a quote, itself, a line feed or
// another, and is dropped. A quote elsewhere is data, and so is an escape outside of quotes. Spaces and tabs before and behind the
// quotes are no data. When other text follows a closing quote, the field goes on to the next delimiter or line end, and the row is
// a reject (QUOTE). A quote that is not closed takes in the rest of the file: one reject (QUOTE), whose reason and Lines say how
// much. Nothing is guessed from lines that a quote has swallowed: they could as well be the text of a field. A record of more than
// 16 MiB or 10,000 fields ends the read, naming its line.
//
// The first record is the header. Names are found ignoring case and white space around them, in any order; columns
// that are not wanted are ignored, wanted ones that are missing are null. It is an error when a required column is
// missing, a wanted one is there twice, or none of the wanted ones is there at all: then the file has no header.
// A row with more or fewer fields than the header is a reject (COLUMN_COUNT), unless Format.FillShortRows makes the fields
// that it lacks null. When the format says that there is no
// header, the columns of the file are the wanted ones in their order. A row whose values are the names of the wanted
// columns is a reject (HEADER), with a byte order mark before it, too: files with headers were put one behind the other.
//
// Values are escaped for spreadsheets when the format's escape is spreadsheet, or when a name of the header is
// audience.EscapedColumn: then audience.UnescapeFormula is done to each value and name. A file that says so itself has a
// header and double quotes, whatever the format says, and its delimiter is found out.
//
// # The dialect of a CSV file
//
// Delimiter, quote and escape are those of the format. What it leaves open is found out from the first 64 KiB of the
// text, the same way whatever the chunks, and the header reports it:
//
//   - A first line such as sep=; or "sep=;" says the delimiter, as spreadsheets write it. It is skipped, and counts as
//     a line, also when the format names a delimiter.
//   - Of comma, semicolon, tab and vertical bar the delimiter is the one by which the first record has most of the
//     wanted names; then by which all its fields are quoted, or it has several; then by which the most bytes lie in
//     records that have as many fields as there are columns; then by which it has most fields; then the first of
//     these. A space, a colon, a caret, a tilde or a control character must part two wanted names; where no names are known
//     yet, caret, tilde, unit separator and control-A are believed when the header has none of the four and all records
//     have as many fields, and caret and tilde only when what they part in the header are plain names. Other marks, which
//     stand in e-mail addresses, URLs, phone numbers, hashes and codes, must be in the format. Commas that only stand between
//     digits are no delimiters when another of the four is there. Neither are marks in a file without a header, or with one of one
//     name, when each of its lines is one value with a comma: a decimal number, a time, a URL or a name such as cn=Ada,dc=org. Another
//     file of one column is read with commas.
//   - The quote is the double quote. It is the apostrophe when by it no field begins with a double quote, and with
//     apostrophes more wanted names are found, the first record is all quoted, or more bytes lie in records that have
//     the right number of fields.
//   - The escape is the backslash when one stands before a quote and, by it, more bytes lie in records with the right
//     number of fields. Else there is none.
//
// # JSON
//
// A file holds JSON objects (RFC 8259), one for each row, in one of three layouts, which its content says: one array
// of them; a line for each; or one behind the other, over lines as they like. An array is a file that begins with a
// bracket. Else a file is of lines when its first object that is not empty, or its hundredth, is a line of its own,
// when its first line is malformed, or when its second line is an object. Text is encoded as that of CSV; lines and
// offsets count alike.
//
// Blank lines are skipped. A line that is not one JSON object is a reject (JSON), and the next line is read. In the
// other layouts nothing behind malformed JSON can be trusted: it ends the read, naming its line, and so does a file
// that is cut off, or has text behind its array. An element that is no object is a reject (JSON). Objects and arrays
// in each other more than 1,000 deep and objects of more than 10,000 keys are as malformed. A row of more than 16 MiB
// with the white space before it ends the read.
//
// Rows of one array may begin on the same line. So that each has a number of its own, the number of a row is that of
// its line, or one more than that of the row before it if that is more: in an array on one line rows are counted.
//
// Keys are found as the names of CSV are, in any order. An absent key and null are null. A wanted key that an object
// has twice makes it a reject (DUPLICATE_KEY); elsewhere keys and values do not matter. A wanted column that no object
// has is missing; it is an error when it is required, or when all are missing, or nothing in the file is an object:
// only at the end of the file it is known. An empty array is a file without rows, and no error. Extra columns are the
// first 10,000 spellings that the file has, of up to 1 KiB.
//
// The text of a string, and numbers and booleans as they are written, are values as those of CSV, with these rules:
// for an integer or long, a number may have a point or an exponent if it is whole, such as 1.0 or 1e3, and a string
// may not. An object or an array is TYPE. A string with half a surrogate, or with bytes that are not valid, is
// ENCODING. Of several faults of a row the first in the order of its keys counts.
//
// # Parquet
//
// Columns are found by their names as those of CSV. Structs, lists and maps are refused when they are wanted, and are
// extra columns else. The number of a row is its line, from 1; there are no offsets. The raw text of a reject is a JSON
// object of the wanted columns. Several faults of a row count in the order of the file's columns.
//
// Text columns, also bytes without a type, are values as those of CSV. Of the others, whole numbers, numbers, dates,
// timestamps and booleans become values of the same kind as they are. Where the kinds differ, a value is the text that
// says it exactly:
//
//   - whole numbers and decimals in digits, without zeros at the end of a fraction: 12.50 is 12.5. A whole value fits
//     integer and long whatever it is stored as; of a floating-point number these take all digits.
//   - floating-point numbers in as few digits as tell them apart, with an exponent from 1e21 on and below 1e-6. In a
//     number column a float of 32 bits is the double that is equal to it. NaN and infinities are TYPE in a number
//     column, and NaN, Infinity and -Infinity as text.
//   - booleans as true and false, UUIDs as 8-4-4-4-12 digits.
//   - dates and times as ISO 8601: 2025-05-13, 10:20:30.5, 2025-05-13T10:20:30Z; a timestamp that is not adjusted to UTC
//     has no Z, and is taken for UTC. Timestamps are cut to microseconds in a datetime column; those of 96 bits always.
//     In a date column a timestamp must be a midnight of UTC.
//
// Null values of the format are compared with these texts. A logical type that is not known counts as none, and a group
// without children is an extra column. Values of more than 16 MiB, and files of more than 1,000 times as many rows, bytes
// of text or bytes without compression as bytes (from 1 Mi rows or 1 GiB on) end the read.
//
// Only the wanted columns are looked at: what the others are, whether they are encrypted, damaged or unknown, does not
// matter. What of a wanted column cannot be read (encryption, LZO, an encoding that its type cannot have) is named as
// not supported; a checksum that a page has is compared.
//
// Nothing that a file says of itself is believed before it is checked. The footer is read by a walk of its own, which
// takes time and memory by its bytes (64 MiB at most) and not by the counts and the depths in it. Pages are checked and unpacked
// before the library that decodes values sees them; what it takes memory for is drawn from Options.MaxMemory first.
//
// # Values
//
// An empty value is null, quoted or not, for every type, and so is one that is exactly one of the format's null values
// when quotes and escapes are gone. Strings are kept as they are; around other values spaces and tabs are cut off. A
// row whose primary identity is null, or only white space, format and control characters, is a reject (IDENTITY), and one
// with a value that cannot be an identity of its namespace (identity.Impossible) another (IDENTITY_FORM). A value that is not of its column's
// type makes the row a reject. Of several faults of a row the first in the order of the file's columns counts:
//
//   - integer, long: an optional sign and decimal digits. Out of 32 or 64 bits is RANGE; 1.0 and 1e3 are TYPE.
//   - With Format.DecimalComma numbers of CSV files are written with a comma for the point. Groups of three digits may be parted by
//     points, apostrophes, spaces or no-break spaces, always the same, also in whole numbers. A point elsewhere is TYPE.
//   - number: an optional sign, digits with at most one point among or beside them, and an optional exponent, to the
//     nearest double. More than a double holds is RANGE. Hexadecimal numbers, underscores, NaN and infinities are
//     TYPE.
//   - boolean: true/false, 1/0, yes/no, t/f or y/n in any case.
//   - date: YYYY-MM-DD that exists in the Gregorian calendar; the year 0000 is RANGE.
//   - datetime: a date, or a date, T or a space, hh:mm or hh:mm:ss, and after seconds a point or comma and 1 to 9
//     digits, cut to microseconds; then Z or an offset ±hh, ±hhmm or ±hh:mm, a space before it or not; then UTC or GMT, which may
//     also stand for the offset, a space before it or not; letters in either case. UTC behind another offset is TYPE, and so
//     are other names of zones. Without an offset
//     it is UTC. A leap second (:60) and 24:00 are TYPE; an instant whose year in UTC is not 1 to 9999 is RANGE.
//   - date and datetime that are TYPE by these rules are tried by the format's date patterns (audience.ParseDatePattern)
//     in their order. The first that the whole value fits, to the byte, and that makes an existing day decides. Without
//     an offset it is UTC, without a time of day midnight. In a date column the time of day must be midnight as it is
//     written, and an offset does not matter.
//   - string: any valid text, else ENCODING.
//
// Where the type of a column was only proposed, what these rules would drop makes the row a reject (PROPOSED_TYPE): leading
// zeros and plus signs of whole numbers, digits that a double does not hold, and those below microseconds.
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
