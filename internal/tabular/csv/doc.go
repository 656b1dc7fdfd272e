// Package csv reads delimiter-separated values.
//
// # Rules
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
// # The dialect of a file
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
package csv
