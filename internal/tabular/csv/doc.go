// Package csv reads delimiter-separated values.
//
// # Rules
//
// Files are as in RFC 4180, and as people send them. The rules do not depend on how a file is cut into chunks.
//
// The encoding of the text is that of its byte order mark, or the one in the format, or UTF-8. Lines, offsets and sizes
// refer to the text in UTF-8; the byte order mark is skipped. Bytes that are invalid in the encoding make a row a
// reject (ENCODING) if they are in a wanted string, and do not matter elsewhere. Zero bytes are data, except in the
// first record, where they are an error: the file is then UTF-16 without a declaration.
//
// The first lines that Format.SkipLines counts are skipped, after a line such as sep=; but a quoted title of several
// lines counts as several. A line that begins with Format.Comment is skipped where a record could begin. Both count as
// lines.
//
// A line ends with a line feed; carriage returns directly before it, or before the end of the file, belong to it. A
// carriage return elsewhere is data. Only if the header's line ends with a carriage return alone, as on old Macintosh
// systems, every carriage return of the file ends a line. Empty lines are skipped, even if the file has one column;
// they count as lines. The last line may lack its end. Rows that contain only delimiters, spaces and tabs, which
// spreadsheets write for empty ones, are not rows either, and are counted (Batch.Blanks).
//
// Marks between records belong to no record: byte order marks of concatenated files and Control-Z before a record, and
// Control-Z and zero bytes that are alone on a line or end the file. A value in the first column that begins with a
// mark needs quotes.
//
// A record is a line, unless a quoted field contains line ends. The delimiter separates its fields. A field is quoted
// if its first byte, or the first after spaces and tabs, is the quote. Up to the closing quote delimiters and line ends
// are data, and two quotes stand for one. If there is an escape, it makes the next byte literal, be it a quote, the
// escape itself, a line feed or another byte, and is removed. A quote elsewhere is data, and so is an escape outside of
// quotes. Spaces and tabs before and after the quotes are not data. If other text follows a closing quote, the field
// extends to the next delimiter or line end, and the row is a reject (QUOTE). A quote that is not closed extends to the
// end of the file: this is one reject (QUOTE), whose reason and Lines show its extent. The lines within it are not
// interpreted, because they may as well be the text of a field. A record of more than 16 MiB or 10,000 fields ends the
// read with an error that names its line.
//
// The first record is the header. Names are matched ignoring case and surrounding white space, in any order. Unwanted
// columns are ignored, and missing wanted ones are null. It is an error if a required column is missing, if a wanted
// column is there twice, or if none of the wanted columns is there: then the file has no header. A row with more or
// fewer fields than the header is a reject (COLUMN_COUNT), unless Format.FillShortRows makes the missing fields null.
// If the format says that there is no header, the columns of the file are the wanted ones in their order. A row whose
// values are the names of the wanted columns is a reject (HEADER), also after a byte order mark, because files with
// headers were concatenated.
//
// Values are escaped for spreadsheets if the format's escape is spreadsheet, or if a name in the header is
// audience.EscapedColumn. Then audience.UnescapeFormula is applied to each value and name. A file with that name has a
// header and double quotes, whatever the format says, and its delimiter is detected.
//
// # The dialect of a file
//
// Delimiter, quote and escape are those of the format. Options that the format leaves open are detected from the first
// 64 KiB of the text, independently of the chunks, and the header reports them:
//
//   - A first line such as sep=; or "sep=;" names the delimiter, as spreadsheets write it. It is skipped and counts as
//     a line, even if the format names a delimiter.
//   - Of comma, semicolon, tab and vertical bar, the delimiter is the one with which the first record has most of the
//     wanted names; then the one with which all its fields are quoted, or with which it has several; then the one with
//     which the most bytes are in records with as many fields as there are columns; then the one with which it has most
//     fields; then the first in this list. A space, a colon, a caret, a tilde or a control character must separate two
//     wanted names. If no names are known yet, caret, tilde, unit separator and control-A are accepted if the header has
//     none of the four and all records have the same number of fields, and caret and tilde only if they separate plain
//     names in the header. Other marks, which occur in e-mail addresses, URLs, phone numbers, hashes and codes, must be
//     in the format. Commas that stand only between digits are not delimiters if another of the four is there. In a file
//     without a header, or with one name in it, marks are not delimiters if each of its lines is one value with a comma:
//     a decimal number, a time, a URL or a name such as cn=Ada,dc=org. Any other file of one column is read with commas.
//   - The quote is the double quote. It is the apostrophe if with it no field begins with a double quote, and it finds
//     more wanted names, or quotes the whole first record, or puts more bytes into records with the right number of
//     fields.
//   - The escape is the backslash if one stands before a quote and, with it, more bytes are in records with the right
//     number of fields. Otherwise there is none.
package csv
