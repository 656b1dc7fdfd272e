// Package json reads JSON objects, one for each row.
//
// # Rules
//
// A file contains JSON objects (RFC 8259), one for each row, in one of three layouts, which its content decides: one
// array of objects; one object per line; or objects one after the other, with any line breaks. A file that begins with
// a bracket is an array. Otherwise a file has one object per line if its first object that is not empty, or its
// hundredth, is alone on a line, if its first line is malformed, or if its second line is an object. The rules for
// encodings, lines and offsets are those of CSV.
//
// Blank lines are skipped. A line that is not one JSON object is a reject (JSON), and the next line is read. In the
// other layouts, text after malformed JSON cannot be trusted: the error names its line and ends the read. The same
// happens if the file is cut off or has text after its array. An element that is not an object is a reject (JSON).
// Objects and arrays nested more than 1,000 deep and objects of more than 10,000 keys count as malformed. A row of more
// than 16 MiB, including the white space before it, ends the read.
//
// Rows of one array may begin on the same line. So that each has its own number, the number of a row is its line, or
// one more than the number of the row before it if that is larger: in an array on one line, rows are counted.
//
// Keys are matched like the names of CSV, in any order. An absent key and null are null. A wanted key that an object
// has twice makes it a reject (DUPLICATE_KEY); other keys and values do not matter. A wanted column that no object has
// is missing. It is an error if a required column is missing, if all are missing, or if the file has no object; this is
// known only at the end of the file. An empty array is a file without rows, and no error. Extra columns are the first
// 10,000 spellings in the file, of up to 1 KiB.
//
// The text of a string, and numbers and booleans as written, are values like those of CSV, with these rules: for an
// integer or long, a number may have a point or an exponent if it is whole, such as 1.0 or 1e3, and a string may not.
// An object or an array is TYPE. A string with half a surrogate, or with invalid bytes, is ENCODING. If a row has
// several faults, the first in the order of its keys counts.
package json
